"""The files that are measured: a network in floats, quantised after training, and with learned grids.

Owns their making. Weights are random: how long a call takes does not depend on them. Must not measure.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from compression_contract.methods import Quanters
from compression_jobs import framework, networks
from compression_jobs.exporters.convert import to_int8_onnx
from compression_jobs.exporters.program import input_spec, save_program
from compression_jobs.framework import paddle
from compression_jobs.quantizers import aware, slim
from compression_jobs.quantizers.post_training import weights_by_layer
from compression_jobs.quantizers.ranges import observe
from compression_jobs.runtimes import ModelFiles

CLASSES, OPSET = 1000, 13
BATCHES, BATCH = 4, 2

Files = dict[str, dict[str, ModelFiles]]
"""By family of formats (ONNX, Paddle), then by method."""


def make(arch: str, shape: tuple[int, ...], folder: Path) -> Files:
    """Write a network's files in every format, by every method."""
    framework.start(0)
    network = networks.build(arch, shape, CLASSES)
    batches = np.split(
        np.random.default_rng(0).normal(0, 1, (BATCHES * BATCH, *shape)).astype(np.float32), BATCHES
    )
    network.train()
    for batch in batches:  # batch normalisation learns what it sees
        network(paddle.to_tensor(batch))
    network.eval()
    plain = folder / "float"
    save_program(network, shape, plain)
    calibrated = folder / "calibrated" / "model"
    slim.calibrate(plain, calibrated, batches, slim.Settings("AVG", per_channel=True))
    names = weights_by_layer(network)
    scales = {"PTQ": slim.calibrated_layers(calibrated, names)}
    trained = aware.prepare(network, Quanters(), observe(network, batches))
    trained.eval()
    scales["QAT"] = aware.trained_layers(trained, names)
    slim.save_trained(trained, input_spec(shape), folder / "trained")
    onnx = {"FP32": ModelFiles("ONNX", (folder / "float.onnx",))}
    for method, layers in scales.items():
        scratch = folder / method
        scratch.mkdir()
        file = folder / f"{method}.onnx"
        to_int8_onnx(plain, file, layers, np.concatenate(batches), OPSET, scratch)
        onnx[method] = ModelFiles("ONNXQDQ", (file,))
        shutil.copyfile(scratch / "float.onnx", folder / "float.onnx")
    programs = {"FP32": plain, "PTQ": calibrated, "QAT": folder / "trained"}
    return {"ONNX": onnx, "Paddle": {method: _program(prefix) for method, prefix in programs.items()}}


def _program(prefix: Path) -> ModelFiles:
    suffixes = (".pdmodel", ".pdiparams")
    return ModelFiles("PaddleInference", tuple(prefix.with_name(prefix.name + suffix) for suffix in suffixes))
