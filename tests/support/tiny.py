"""A classification task so small that its right answers are known, and real ONNX models for it.

Images of 4x4 pixels, three classes: class c has a bright column c. A model is three templates, one a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

CLASSES = 3
SHAPE = (1, 4, 4)
WORDS, LENGTH = 10, 6
FACTS: dict[str, Any] = {
    "inputShape": list(SHAPE),
    "numClasses": CLASSES,
    "mean": [0.5],
    "std": [0.5],
}


def images(labels: NDArray[np.int64], seed: int = 0) -> NDArray[np.uint8]:
    """Images of these classes with a little noise, uint8 [n, 1, 4, 4]."""
    noise = np.random.default_rng(seed).integers(0, 40, (len(labels), *SHAPE))
    for index, label in enumerate(labels):
        noise[index, 0, :, label] += 200
    return noise.astype(np.uint8)


def normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a reader makes of the images, with the mean and std of FACTS."""
    return ((pixels / 255 - 0.5) / 0.5).astype(np.float32)


def float_model(path: Path, answers: Sequence[int] = (0, 1, 2), batch: int | str = "batch") -> Path:
    """A model that says `answers[c]` to an image of class c."""
    weights = np.zeros((16, CLASSES), np.float32)
    for column, answer in enumerate(answers):
        weights[column::4, answer] += 1.0
    bias = np.where(np.isin(np.arange(CLASSES), answers), 0, -100).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, CLASSES])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


class _Samples(CalibrationDataReader):
    def __init__(self) -> None:
        self._batches = iter([{"input": normalised(images(np.arange(30) % CLASSES, seed=7))}])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def int8_model(path: Path, source: Path) -> Path:
    """The model quantised after training, as QDQ."""
    quantize_static(
        source,
        path,
        _Samples(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    return path


def logits(path: Path, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What onnxruntime says with its default options."""
    import onnxruntime  # noqa: PLC0415 - heavy, and few tests ask

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"input": normalised(pixels)})
    return answer


def words_model(path: Path) -> Path:
    """A model of token ids: a word c says class c, and the mean over words decides."""
    table = np.zeros((WORDS, CLASSES), np.float32)
    table[np.arange(CLASSES), np.arange(CLASSES)] = 1
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "tokens"], ["embedded"]),
            helper.make_node("ReduceMean", ["embedded"], ["logits"], axes=[1], keepdims=0),
        ],
        "words",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", LENGTH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(table, "table")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
