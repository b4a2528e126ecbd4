"""ONNX Runtime's static quantisation, behind the few functions that this project needs of it.

Owns its dialect. The result is in the same form as our own exporter's: unsigned weights around 128.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import quantization

from compression_jobs.errors import InvalidInput
from compression_jobs.exporters.float_graph import INPUT
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.scales import LayerScales, positive
from compression_jobs.exporters.weights import unsigned_weights
from compression_jobs.quantizers.calibration import BatchSource

_METHODS: Final[Mapping[str, Any]] = {
    "AVG": quantization.CalibrationMethod.MinMax,
    "AbsMax": quantization.CalibrationMethod.MinMax,
    "Hist": quantization.CalibrationMethod.Percentile,
    "KL": quantization.CalibrationMethod.Entropy,
}
_KEEPS_ALL: Final = frozenset({"Hist", "KL"})
"""Observers that would keep every activation of every batch until the end, unless told to go in strides."""
_LAYERS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to quantise."""

    observer: str
    per_channel: bool
    skip: tuple[str, ...] = ()
    """Weights' names in the float file, whose layers stay in floating point."""


def require_observer(observer: str) -> Any:
    """What ONNX Runtime calls an observer.

    Raises:
        InvalidInput: ObserverUnsupported.
    """
    method = _METHODS.get(observer)
    if method is None:
        raise InvalidInput(
            "ObserverUnsupported",
            f"ONNX Runtime has no observer {observer}; choose one of {', '.join(_METHODS)}, "
            "or the engine PaddleSlim.",
        )
    return method


def quantise(source: Path, output: Path, batches: BatchSource, settings: Settings, scratch: Path) -> int:
    """Quantise a float ONNX file, one batch in memory at a time.

    Returns:
        How many layers' weights are integers.

    Raises:
        InvalidInput: ObserverUnsupported.
    """
    method = require_observer(settings.observer)
    options: dict[str, Any] = {"CalibMovingAverage": settings.observer == "AVG"}
    if settings.observer in _KEEPS_ALL:
        options["CalibStridedMinMax"] = 1
    # It prints a line for each batch.
    with contextlib.redirect_stdout(io.StringIO()):
        quantization.quantize_static(
            str(source),
            str(scratch / "signed.onnx"),
            _Batches(batches),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=settings.per_channel,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=method,
            nodes_to_exclude=_nodes_of(source, settings.skip),
            extra_options=options,
        )
    graph = Graph.load(scratch / "signed.onnx")
    unsigned_weights(graph)
    graph.save(output)
    return len(_quantised(graph))


def layers_of(source: Path, quantised: Path, names: Mapping[str, str]) -> tuple[LayerScales, ...]:
    """The grids in a file that `quantise` wrote.

    Args:
        source: the float file.
        quantised: the result.
        names: names of weights by layer; a layer that is none of them is called by its weight.
    """
    layers = {weight: layer for layer, weight in names.items()}
    weights = {node.name: node.input[1] for node in Graph.load(source).of_type(*_LAYERS)}
    graph = Graph.load(quantised)
    found = []
    for node, reader, writer in _quantised(graph):
        weight = weights[node.name]
        found.append(
            LayerScales(
                layer=layers.get(weight, weight),
                weight=weight,
                input_step=positive(float(graph.constants[reader.input[1]])),
                input_zero_point=int(graph.constants[reader.input[2]]),
                weight_steps=tuple(
                    positive(float(step)) for step in np.ravel(graph.constants[writer.input[1]])
                ),
                measured="Deployed",
            )
        )
    return tuple(found)


def simulate(model: Path, batches: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
    """The answers of a quantised model with each integer step done in floating point: its definition."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(None, {INPUT: batch})[0]) for batch in batches])


def _quantised(graph: Graph) -> list[tuple[Any, Any, Any]]:
    """Layers on grids, each with the nodes that dequantise its input and its weight."""
    found = []
    for node in graph.of_type(*_LAYERS):
        reader, writer = graph.producer(node.input[0]), graph.producer(node.input[1])
        if reader is None or writer is None:
            continue
        stored = writer.input[0] in graph.constants
        if stored and reader.op_type == writer.op_type == "DequantizeLinear":
            found.append((node, reader, writer))
    return found


def _nodes_of(source: Path, weights: tuple[str, ...]) -> list[str]:
    """The nodes that read some weights; a weight that the file does not hold is read by none."""
    return [node.name for node in Graph.load(source).nodes if set(node.input[1:2]) & set(weights)]


class _Batches(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Calibration inputs in the form that ONNX Runtime asks for."""

    def __init__(self, batches: BatchSource) -> None:
        self._batches = batches
        self.set_range(0, len(batches))

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Go on from one batch up to another."""
        self._left = iter(range(start_index, end_index))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next batch, or None at the end."""
        place = next(self._left, None)
        return None if place is None else {INPUT: self._batches[place]}
