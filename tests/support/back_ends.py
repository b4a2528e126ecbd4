"""Models for every runtime's tests: the same kinds of files, each in the formats that the runtime reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from compression_jobs.exporters.float_graph import tidy
from compression_jobs.exporters.int8_graph import quantise
from compression_jobs.runtimes import ModelFiles
from support import onnx_networks, tiny


@dataclass(frozen=True)
class Models:
    """What one runtime is tested with; all files of one folder."""

    runtime: str
    float: ModelFiles
    int8: ModelFiles
    """The same network on integers."""
    words: ModelFiles
    """Takes token ids."""
    two_inputs: ModelFiles
    unquantised: ModelFiles
    """Says that it is quantised, and cannot run on integers."""
    outside: ModelFiles
    """Reaches for something outside its files."""
    inputs: Callable[[int], NDArray[np.float32]]
    """So many samples for the float and the INT8 network."""
    output_shape: tuple[int, ...]


def onnx_models(runtime: str, folder: Path) -> Models:
    network, graph = onnx_networks.depthwise(), onnx_networks.depthwise()
    tidy(network)
    factors = tidy(graph)
    quantise(graph, onnx_networks.learned(network, onnx_networks.inputs()), factors, onnx_networks.inputs())
    plain, small, outside = folder / "float.onnx", folder / "model.onnx", folder / "outside.onnx"
    onnx.save(network.to_model(), plain)
    onnx.save(graph.to_model(), small)
    onnx.save(
        network.to_model(), outside, save_as_external_data=True, size_threshold=0, location="weights.bin"
    )
    return Models(
        runtime=runtime,
        float=ModelFiles("ONNX", (plain,)),
        int8=ModelFiles("ONNXQDQ", (small,)),
        words=ModelFiles("ONNX", (tiny.words_model(folder / "words.onnx"),)),
        two_inputs=ModelFiles("ONNX", (_two_inputs(folder / "two.onnx"),)),
        unquantised=ModelFiles("ONNXQDQ", (plain,)),
        outside=ModelFiles("ONNX", (outside,)),
        inputs=lambda count: onnx_networks.inputs(count, seed=3),
        output_shape=(onnx_networks.CLASSES,),
    )


def paddle_models(folder: Path) -> Models:
    from support import tiny_programs  # noqa: PLC0415 - loads Paddle

    def model(files: tuple[Path, Path]) -> ModelFiles:
        return ModelFiles("PaddleInference", files)

    def changed(name: str, operator: str) -> ModelFiles:
        graph = folder / f"{name}.pdmodel"
        tiny_programs.with_operator(plain.paths[0], graph, operator)
        return model((graph, plain.paths[1]))

    plain = model(tiny_programs.float_program(folder / "float"))
    return Models(
        runtime="paddle-inference",
        float=plain,
        int8=model(tiny_programs.int8_program(folder / "model", folder / "float")),
        words=model(tiny_programs.words_program(folder / "words")),
        two_inputs=model(tiny_programs.two_inputs_program(folder / "two")),
        unquantised=changed("unquantised", "fake_quantize_dequantize_moving_average_abs_max"),
        outside=changed("outside", "py_func"),
        inputs=lambda count: tiny.normalised(tiny.images(np.arange(count) % tiny.CLASSES, seed=3)),
        output_shape=(tiny.CLASSES,),
    )


def _two_inputs(path: Path) -> Path:
    names = ("x", "y", "sum")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in names]
    graph = helper.make_graph([helper.make_node("Add", ["x", "y"], ["sum"])], "two", values[:2], values[2:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
