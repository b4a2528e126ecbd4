"""Arithmetic by constants, folded into the layer before it.

Owns batch normalisation, a bias that was written as a sum, and the line of a hard sigmoid. Must not know
grids: what a fold multiplies weights by is handed back.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.exporters.graph import Graph, attribute

_EPSILON: Final = 1e-5
_FOLDABLE: Final = frozenset({"Conv", "ConvTranspose", "Gemm"})
_ALPHA, _BETA = 0.2, 0.5
"""HardSigmoid's own (github.com/onnx/onnx, docs/Operators.md)."""

Floats = NDArray[np.float32]


def output_axis(node: Any) -> int:
    """The axis of output channels in a layer's weight.

    Conv has [out, in, ...]; Gemm and MatMul have [in, out], ConvTranspose [in, out, ...].
    """
    return 0 if node.op_type == "Conv" else 1


def fold_batch_norm(graph: Graph) -> dict[str, Floats]:
    """Make one layer of each layer and the batch normalisation behind it.

    Returns:
        By weight, what each of its output channels was multiplied by.
    """
    factors: dict[str, Floats] = {}
    for norm in graph.of_type("BatchNormalization"):
        layer = graph.producer(norm.input[0])
        if not all(name in graph.constants for name in norm.input[1:5]) or not _is_alone(graph, layer):
            continue
        gamma, beta, mean, variance = (graph.constants[name].astype(np.float64) for name in norm.input[1:5])
        factor = gamma / np.sqrt(variance + float(attribute(norm, "epsilon", _EPSILON)))
        _scale(graph, layer, factor, beta - mean * factor)
        factors[layer.input[1]] = factor.astype(np.float32)  # type: ignore[union-attr]
        graph.bypass(norm, norm.input[0])
    return factors


def fold_bias(graph: Graph) -> None:
    """Make the constant that is added to each channel of a convolution its bias."""
    for add in graph.of_type("Add"):
        constants = [name for name in add.input if name in graph.constants]
        computed = [name for name in add.input if name not in graph.constants]
        if len(constants) != 1 or len(computed) != 1:
            continue
        layer, value = graph.producer(computed[0]), graph.constants[constants[0]]
        if layer is None or layer.op_type not in {"Conv", "ConvTranspose"} or not _is_alone(graph, layer):
            continue
        weight = graph.constants[layer.input[1]]
        channels = weight.shape[output_axis(layer)]
        shape = (channels, *[1] * (weight.ndim - 2))
        if value.shape in {shape, (1, *shape)}:
            _scale(graph, layer, np.ones(channels), value.reshape(-1).astype(np.float64))
            graph.bypass(add, computed[0])


def fold_hard_sigmoid(graph: Graph, node: Any) -> np.float32:
    """Turn a hard sigmoid, max(0, min(1, alpha x + beta)), into the line of the layer before it and a Clip.

    On a grid from 0 to 1 the Clip is nothing at all.

    Returns:
        What the weight was multiplied by: alpha, or 1 where no hard sigmoid follows.
    """
    readers = graph.consumers(node.output[0])
    if len(readers) != 1 or readers[0].op_type != "HardSigmoid" or not _is_alone(graph, node):
        return np.float32(1)
    gate = readers[0]
    alpha, beta = float(attribute(gate, "alpha", _ALPHA)), float(attribute(gate, "beta", _BETA))
    channels = graph.constants[node.input[1]].shape[output_axis(node)]
    _scale(graph, node, np.full(channels, alpha), np.full(channels, beta))
    ends = [
        graph.add_constant(f"{gate.output[0]}.{name}", np.float32(end).reshape(())) for name, end in _ENDS
    ]
    graph.remove(gate)
    graph.add_node("Clip", [gate.input[0], *ends], gate.output[0])
    return np.float32(alpha)


_ENDS: Final = (("low", 0.0), ("high", 1.0))


def _is_alone(graph: Graph, layer: Any | None) -> bool:
    """Whether a layer's constant weight can be changed, as nothing but what follows reads of it."""
    return (
        layer is not None
        and layer.op_type in _FOLDABLE
        and layer.input[1] in graph.constants
        and not (layer.op_type == "ConvTranspose" and int(attribute(layer, "group", 1)) != 1)
        and len(graph.consumers(layer.output[0])) == 1
        and len(graph.consumers(layer.input[1])) == 1
        and not graph.is_output(layer.output[0])
        and all(name in graph.constants for name in layer.input[2:3])
    )


def _scale(graph: Graph, layer: Any, factor: NDArray[np.float64], shift: NDArray[np.float64]) -> None:
    """Multiply what a layer gives for each channel by a factor, and add a shift."""
    name = layer.input[1]
    weight = graph.constants[name]
    shape = [1] * weight.ndim
    shape[output_axis(layer)] = -1
    bias = graph.constants[layer.input[2]].astype(np.float64) if len(layer.input) > 2 else 0.0
    graph.constants[name] = (weight * factor.reshape(shape)).astype(np.float32)
    folded = graph.add_constant(f"{name}.bias", (shift + bias * factor).astype(np.float32))
    layer.input[:] = [layer.input[0], name, folded]
