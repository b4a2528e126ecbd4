"""The deployed INT8 model: the float model with the learned grids put in.

Paddle's own converter can write quantised models too. It is not used for that: it takes the range of a
convolution's output that was observed before batch normalisation, folds the normalisation into the
convolution, and puts that range behind it, which clips what it should not. Here nothing is put in that was
not learned or calibrated for exactly that tensor.

Owns the order of the steps. Must not load a training framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from compression_jobs.exporters import edges
from compression_jobs.exporters.activations import Activations
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.scales import LayerScales
from compression_jobs.exporters.weights import quantise_bias, quantise_weight, wide_enough

LAYERS = ("Conv", "Gemm", "MatMul")


def quantise(
    graph: Graph,
    layers: Sequence[LayerScales],
    factors: Mapping[str, NDArray[np.float32]],
    calibration: NDArray[np.float32],
) -> int:
    """Put learned grids into a tidied float graph.

    Args:
        graph: it is changed; see float_graph.
        layers: the grids; a layer that has none stays in floating point.
        factors: of the batch normalisations that were folded into weights.
        calibration: samples [n, ...] for the tensors that no layer learned a grid for.

    Returns:
        How many layers are quantised.

    Raises:
        ValueError: a learned grid belongs to no layer of the graph.
    """
    by_weight = {layer.weight: layer for layer in layers}
    activations = Activations(graph)
    float_model = Graph(graph.to_model())
    found = [node for node in graph.of_type(*LAYERS) if node.input[1] in by_weight]
    missing = set(by_weight) - {node.input[1] for node in found}
    if missing:
        raise ValueError(f"no layer of the graph has the weight {min(missing)}")
    for node in found:
        layer = by_weight[node.input[1]]
        steps = _deployed_steps(layer, factors)
        steps = wide_enough(graph, node, layer.input_step, steps)
        quantise_weight(graph, node, steps)
        quantise_bias(graph, node, layer.input_step, steps)
        activations.feed([node], node.input[0], layer.input_step)
    activations.spread()
    unknown = [tensor for tensor in edges.open_edges(graph, activations) if activations.of(tensor) is None]
    edges.close(graph, activations, edges.measure(float_model, unknown, calibration))
    activations.drop_relus()
    return len(found)


def _deployed_steps(layer: LayerScales, factors: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    steps = np.asarray(layer.weight_steps, np.float32)
    if layer.measured == "BeforeNormalisation" and layer.weight in factors:
        steps = np.abs(factors[layer.weight]) * steps
    return np.maximum(steps, np.float32(1e-12)).astype(np.float32)
