"""ONNX Runtime's static quantisation, behind the few functions that this project needs of it.

Owns its dialect. The result is in the same form as our own exporter's: unsigned weights around 128.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from compression_jobs.exporters.weights import unsigned_weights

_METHODS: Final[Mapping[str, Any]] = {
    "AVG": quantization.CalibrationMethod.MinMax,
    "AbsMax": quantization.CalibrationMethod.MinMax,
    "Hist": quantization.CalibrationMethod.Percentile,
    "KL": quantization.CalibrationMethod.Entropy,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How to quantise."""

    observer: str
    per_channel: bool
    skip: tuple[str, ...] = ()
    """Weights' names in the float file, whose layers stay in floating point."""


def quantise(
    source: Path, output: Path, batches: Sequence[NDArray[np.float32]], settings: Settings, scratch: Path
) -> int:
    """Quantise a float ONNX file.

    Returns:
        How many weights are integers.

    Raises:
        InvalidInput: ObserverUnsupported, LayerUnknown.
    """
    method = _METHODS.get(settings.observer)
    if method is None:
        raise InvalidInput(
            "ObserverUnsupported",
            f"ONNX Runtime has no observer {settings.observer}; choose one of {', '.join(_METHODS)}, "
            "or the engine PaddleSlim.",
        )
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
        extra_options={"CalibMovingAverage": settings.observer == "AVG"},
    )
    graph = Graph.load(scratch / "signed.onnx")
    changed = unsigned_weights(graph)
    graph.save(output)
    return changed


def simulate(model: Path, batches: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The answers of a quantised model with each integer step done in floating point: its definition."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return np.concatenate([np.asarray(session.run(None, {INPUT: batch})[0]) for batch in batches])


def _nodes_of(source: Path, weights: tuple[str, ...]) -> list[str]:
    nodes = {name: node.name for node in Graph.load(source).nodes for name in node.input[1:2]}
    unknown = [name for name in weights if name not in nodes]
    if unknown:
        raise InvalidInput(
            "LayerUnknown",
            f"The float model has no weight {unknown[0]!r}; this engine knows layers by their weight's name.",
        )
    return [nodes[name] for name in weights]


class _Batches(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Calibration inputs in the form that ONNX Runtime asks for."""

    def __init__(self, batches: Sequence[NDArray[np.float32]]) -> None:
        self._left = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._left, None)
        return None if batch is None else {INPUT: batch}
