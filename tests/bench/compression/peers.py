"""The peers: other ways from the same float model and the same calibration images to INT8.

Owns how each is called, in an environment of its own where it needs one. A peer that fails is a row that says
why, never an end of the comparison.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compression_jobs.runtimes import ModelFiles

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TIMEOUT_SECONDS = 1500
NNCF = ("nncf==3.4.0", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True)
class FloatModel:
    """What everybody starts from."""

    onnx: Path
    program: Path
    """Prefix of the Paddle inference program."""
    calibration: Path
    """Images as .npy."""
    train: Path
    """Images and labels of the training split as .npz, for peers that train."""


class PeerFailed(RuntimeError):
    """A peer did not come to a file; the message is its own last line."""


def onnxruntime_static(model: FloatModel, folder: Path) -> tuple[str, ModelFiles]:
    """quantize_static with its recommended preparation and settings: QDQ, per channel, u8 and s8."""
    from onnxruntime import quantization  # noqa: PLC0415  (a peer is loaded when it is asked for)
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    prepared, output = folder / "prepared.onnx", folder / "onnxruntime.onnx"
    quant_pre_process(str(model.onnx), str(prepared))
    quantization.quantize_static(
        str(prepared),
        str(output),
        _Reader(np.load(model.calibration)),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return "onnxruntime", ModelFiles("ONNXQDQ", (output,))


def nncf(model: FloatModel, folder: Path) -> tuple[str, ModelFiles]:
    """nncf.quantize on the ONNX file, with its defaults."""
    python = environment(folder.parent / "nncf-environment", NNCF)
    output = folder / "nncf.onnx"
    _call([str(python), str(HERE / "peer_nncf.py"), str(model.onnx), str(model.calibration), str(output)])
    return "onnxruntime", ModelFiles("ONNXQDQ", (output,))


def act(model: FloatModel, folder: Path) -> tuple[str, ModelFiles]:
    """PaddleSlim's AutoCompression: quantisation-aware training with distillation from the float model."""
    prefix = folder / "act"
    arguments = [str(model.program), str(model.train), str(prefix)]
    _call([sys.executable, str(HERE / "peer_act.py"), *arguments])
    paths = (prefix.with_name("act.pdmodel"), prefix.with_name("act.pdiparams"))
    return "paddle-inference", ModelFiles("PaddleInference", paths)


PEERS = {"onnxruntime quantize_static": onnxruntime_static, "NNCF": nncf, "PaddleSlim ACT": act}


def environment(place: Path, packages: tuple[str, ...]) -> Path:
    """The Python of a virtual environment with these packages, made once."""
    python = place / "bin/python"
    if not (place / "done").exists():
        shutil.rmtree(place, ignore_errors=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run(["uv", "venv", "-q", "-p", version, str(place)], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), *packages], check=True)
        (place / "done").touch()
    return python


def _call(command: list[str]) -> None:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "jobs")}
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise PeerFailed(lines[-1][:200] if lines else f"exit code {done.returncode}")


class _Reader:
    """Calibration images one by one, as ONNX Runtime asks for them."""

    def __init__(self, images: np.ndarray) -> None:
        self._left = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._left, None)
        return None if image is None else {"input": image[np.newaxis]}

    def set_range(self, start_index: int, end_index: int) -> None:
        """Asked for by newer versions; everything is in memory here."""
