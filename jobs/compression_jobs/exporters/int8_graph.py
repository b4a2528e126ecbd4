"""The deployed INT8 model: the float model with the learned grids put in.

Paddle's own converter can write quantised models too. It is not used for that: it takes the range of a
convolution's output that was observed before batch normalisation, folds the normalisation into the
convolution, and puts that range behind it, which clips what it should not. Here nothing is put in that was
not learned or calibrated for exactly that tensor.

Owns the order of the steps. Must not load a training framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_jobs.exporters import edges, grids
from compression_jobs.exporters.activations import Activations
from compression_jobs.exporters.folding import fold_hard_sigmoid, output_axis
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.problems import ExportProblem
from compression_jobs.exporters.scales import LayerScales
from compression_jobs.exporters.weights import (
    quantise_bias,
    quantise_tables,
    quantise_weight,
    wide_enough,
)

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True)
class Done:
    """What was quantised."""

    weights: dict[str, str]
    """Names of stored integers, by the name of the float weight, of layers that compute."""
    tables: tuple[str, ...]
    """Float names of tables that rows are looked up in."""


def quantise(
    graph: Graph,
    layers: Sequence[LayerScales],
    factors: Mapping[str, NDArray[np.float32]],
    calibration: NDArray[Any],
) -> Done:
    """Put learned grids into a tidied float graph.

    Args:
        graph: it is changed; see float_graph.
        layers: the grids; a layer that has none stays in floating point.
        factors: of the batch normalisations that were folded into weights.
        calibration: samples [n, ...] for the tensors that no layer learned a grid for.

    Raises:
        ExportProblem: a learned grid belongs to no layer of the graph, or does not fit its weight.
    """
    by_weight = {layer.weight: layer for layer in layers}
    activations = Activations(graph)
    float_model = Graph(graph.to_model())
    found = [node for node in graph.of_type(*LAYERS) if node.input[1] in by_weight]
    missing = set(by_weight) - {node.input[1] for node in found}
    if missing:
        lost = by_weight[min(missing)]
        raise ExportProblem(
            f"layer {lost.layer!r} was quantised in training, but no layer of the converted network has its "
            f"weight {lost.weight!r}"
        )
    stored = {}
    ranges = edges.measure(float_model, _cut_below(graph, found), calibration)
    for node in found:
        layer = by_weight[node.input[1]]
        grid = grids.learned(graph, layer, node.input[0], ranges.get(node.input[0], (0.0, 0.0))[1])
        _quantise_weight(graph, node, grid, layer, factors)
        activations.feed([node], node.input[0], grid)
        stored[layer.weight] = graph.producer(node.input[1]).input[0]  # type: ignore[union-attr]
    activations.spread()
    edges.close(graph, activations, found, (float_model, calibration))
    activations.chain()
    activations.drop_cut_offs()
    return Done(stored, tuple(quantise_tables(graph)) if found else ())


def _cut_below(graph: Graph, nodes: Sequence[Any]) -> list[str]:
    """Inputs of nodes that cannot be negative."""
    computed = dict.fromkeys(node.input[0] for node in nodes if graph.producer(node.input[0]) is not None)
    return [tensor for tensor in computed if grids.bounds(graph, tensor).low >= 0]


def _quantise_weight(
    graph: Graph,
    node: Any,
    grid: grids.Grid,
    layer: LayerScales,
    factors: Mapping[str, NDArray[np.float32]],
) -> None:
    steps = _deployed_steps(layer, factors) * fold_hard_sigmoid(graph, node)
    channels = graph.constants[layer.weight].shape[output_axis(node)]
    if steps.size not in {1, channels}:
        raise ExportProblem(
            f"layer {layer.layer!r} has {channels} output channels, and {steps.size} steps for its weight"
        )
    steps = wide_enough(graph, node, grid.step, steps)
    quantise_weight(graph, node, steps)
    quantise_bias(graph, node, grid.step, steps)


def _deployed_steps(layer: LayerScales, factors: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    steps = np.asarray(layer.weight_steps, np.float32)
    if layer.measured == "BeforeNormalisation" and layer.weight in factors:
        steps = np.abs(factors[layer.weight]) * steps
    return np.maximum(steps, np.float32(1e-12)).astype(np.float32)
