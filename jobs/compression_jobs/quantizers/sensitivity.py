"""What each layer's quantisation alone costs.

One layer at a time is put on its grids, weights and input, in the float ONNX model and in memory; all others
stay as they are. What is measured against the float model on calibration samples is the loss of the task's
metric, and the signal-to-quantisation-noise ratio of the output, which tells apart layers that cost no
sample.

Owns the analysis and its form. Must not know engines.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compression_contract.base import Frozen
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.scales import LayerScales

MAX_SAMPLES: Final = 256
"""Each layer is a pass over so many samples: the cost is layers times this."""
_BATCH: Final = 32
_LARGEST: Final = 127
_MIDDLE: Final = 128
_OPERATORS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_STANDS_OUT: Final = 0.2
_MAX_HINTS: Final = 3
_SECONDS_BETWEEN_LINES: Final = 20.0

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Judge:
    """How outputs are compared."""

    metric: str
    value: Callable[[Floats], float]
    """The metric of outputs for all samples, the larger the better."""
    same: Callable[[Floats, Floats], NDArray[np.bool_]]
    """Whether two outputs are the same answer, by sample."""


class LayerCost(Frozen):
    """What one layer's quantisation does to the output."""

    layer: str
    drop: float
    """Loss of the metric, in its own unit; below 0 the layer gained."""
    sqnr: float
    """Signal-to-quantisation-noise ratio of the output in decibels; the higher the better."""
    agreement: float
    """Share of samples with the float model's answer."""


class Sensitivity(Frozen):
    """The analysis of a network, the costliest layer first."""

    metric: str
    samples: int
    float_value: float
    layers: tuple[LayerCost, ...]
    skip_layers: tuple[str, ...]
    """Layers that stand out: what to leave in floating point first."""

    def to_json(self) -> bytes:
        """For the artifact."""
        return json.dumps(self.wire(), indent=1).encode()


def analyse(
    float_model: Path, layers: Sequence[LayerScales], inputs: NDArray[Any], judge: Judge
) -> Sensitivity:
    """Quantise each layer alone.

    Args:
        float_model: the float ONNX file that was quantised.
        layers: the grids.
        inputs: calibration samples, [n, ...], at most MAX_SAMPLES.
        judge: of the same samples.
    """
    original = Graph.load(float_model)
    reference = _run(original, inputs)
    value = judge.value(reference)
    costs, told = [], time.monotonic()
    for place, layer in enumerate(layers):
        outputs = _run(with_one_layer(Graph(original.to_model()), layer), inputs)
        cost = LayerCost(
            layer=layer.layer,
            drop=round(value - judge.value(outputs), 6),
            sqnr=round(sqnr(reference, outputs), 2),
            agreement=float(np.mean(judge.same(reference, outputs))),
        )
        costs.append(cost)
        if time.monotonic() - told > _SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            log.info("analysing layers", extra={"fields": {"done": place + 1, "layers": len(layers)}})
    ranked = tuple(sorted(costs, key=lambda cost: (-cost.drop, cost.sqnr)))
    found = Sensitivity(
        metric=judge.metric,
        samples=len(inputs),
        float_value=round(value, 6),
        layers=ranked,
        skip_layers=_outstanding(ranked),
    )
    _tell(found)
    return found


def with_one_layer(graph: Graph, layer: LayerScales) -> Graph:
    """A float graph with the weight and the input of one layer rounded to their grids.

    Raises:
        ValueError: the graph has no such layer.
    """
    nodes = [node for node in graph.of_type(*_OPERATORS) if node.input[1] == layer.weight]
    if not nodes:
        raise ValueError(f"no layer of the graph has the weight {layer.weight}")
    for node in nodes:
        source = node.input[0]
        zero_point = _MIDDLE if layer.input_zero_point is None else layer.input_zero_point
        step = graph.add_constant(f"{source}.step", np.float32(layer.input_step).reshape(()))
        zero = graph.add_constant(f"{source}.zero", np.uint8(zero_point).reshape(()))
        stored = graph.add_node("QuantizeLinear", [source, step, zero], f"{source}.rounded")
        node.input[0] = graph.add_node("DequantizeLinear", [stored, step, zero], f"{source}.on_grid")
    steps = np.asarray(layer.weight_steps, np.float32)
    shape = [1] * graph.constants[layer.weight].ndim
    shape[0 if nodes[0].op_type == "Conv" else 1] = -1
    steps = steps.reshape(shape if steps.size > 1 else ())
    numbers = np.clip(np.rint(graph.constants[layer.weight] / steps), -_LARGEST, _LARGEST)
    graph.constants[layer.weight] = (numbers * steps).astype(np.float32)
    return graph


def sqnr(signal: Floats, noisy: Floats) -> float:
    """10 log10 of the power of a signal over that of its error; 200 where there is none."""
    exact = signal.astype(np.float64)
    error = float(np.square(exact - noisy).sum())
    power = float(np.square(exact).sum())
    return min(200.0, 10 * math.log10(max(power, 1e-30) / max(error, 1e-30)))


def _outstanding(ranked: Sequence[LayerCost]) -> tuple[str, ...]:
    """The few layers that cost a good part of what all cost together."""
    total = sum(max(0.0, cost.drop) for cost in ranked)
    costly = [cost.layer for cost in ranked if total > 0 and cost.drop >= _STANDS_OUT * total]
    return tuple(costly[:_MAX_HINTS])


def _tell(found: Sensitivity) -> None:
    costliest = {cost.layer: cost.drop for cost in found.layers[:_MAX_HINTS]}
    hint = f"skipLayers: [{', '.join(found.skip_layers)}]" if found.skip_layers else "no layer stands out"
    told = {"metric": found.metric, "samples": found.samples, "costliest": costliest, "hint": hint}
    log.info("what quantising each layer alone costs", extra={"fields": told})


def _run(graph: Graph, inputs: NDArray[Any]) -> Floats:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = graph.to_model().SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [inputs[start : start + _BATCH] for start in range(0, len(inputs), _BATCH)]
    return np.concatenate([np.asarray(session.run(None, {name: part})[0], np.float32) for part in parts])
