"""The float model as it is deployed and compared against: what a converter leaves, tidied.

Owns the passes that change a graph's form and not its function: batch normalisation folded into convolutions,
a flattening as one node, a fully connected layer as one node, plain names of input and output.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.exporters.graph import Graph, attribute

INPUT: Final = "input"
OUTPUT: Final = "logits"
_EPSILON: Final = 1e-5


def tidy(graph: Graph) -> dict[str, NDArray[np.float32]]:
    """Apply all passes.

    Returns:
        For each weight that a batch normalisation was folded into, the factor of each output channel: a scale
        that was learned on the weight before must be multiplied by its absolute value.
    """
    factors = fold_batch_norm(graph)
    flatten_reshapes(graph)
    join_linear(graph)
    name_ends(graph)
    return factors


def fold_batch_norm(graph: Graph) -> dict[str, NDArray[np.float32]]:
    """Make one convolution of each convolution and the batch normalisation behind it."""
    factors: dict[str, NDArray[np.float32]] = {}
    for norm in graph.of_type("BatchNormalization"):
        conv = graph.producer(norm.input[0])
        if conv is None or not _is_foldable(graph, conv, norm):
            continue
        gamma, beta, mean, variance = (graph.constants[name].astype(np.float64) for name in norm.input[1:5])
        factor = gamma / np.sqrt(variance + float(attribute(norm, "epsilon", _EPSILON)))
        name = conv.input[1]
        weight = graph.constants[name]
        bias = graph.constants[conv.input[2]].astype(np.float64) if len(conv.input) > 2 else 0.0
        graph.constants[name] = (weight * factor.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32)
        folded = graph.add_constant(f"{name}.bias", (beta + (bias - mean) * factor).astype(np.float32))
        conv.input[:] = [conv.input[0], name, folded]
        factors[name] = factor.astype(np.float32)
        graph.bypass(norm, conv.output[0])
    return factors


def flatten_reshapes(graph: Graph) -> None:
    """Make Flatten of a Reshape to (batch, -1) whose first length is computed from the input's own shape."""
    for reshape in graph.of_type("Reshape"):
        concat = graph.producer(reshape.input[1])
        if concat is None or concat.op_type != "Concat" or len(concat.input) != 2:
            continue
        rest = graph.constants.get(concat.input[1])
        first = graph.producer(concat.input[0])
        if rest is None or rest.tolist() != [-1] or not _is_batch_of(graph, first, reshape.input[0]):
            continue
        graph.remove(reshape)
        graph.add_node("Flatten", [reshape.input[0]], reshape.output[0], axis=1)


def join_linear(graph: Graph) -> None:
    """Make Gemm of a MatMul with a constant and the Add of a constant behind it."""
    for product in graph.of_type("MatMul"):
        readers = graph.consumers(product.output[0])
        weight = graph.constants.get(product.input[1])
        if weight is None or weight.ndim != 2 or len(readers) != 1 or readers[0].op_type != "Add":
            continue
        add = readers[0]
        others = [name for name in add.input if name != product.output[0]]
        if len(others) != 1 or others[0] not in graph.constants or graph.constants[others[0]].ndim != 1:
            continue
        graph.remove(product)
        graph.remove(add)
        graph.add_node("Gemm", [product.input[0], product.input[1], others[0]], add.output[0])


def name_ends(graph: Graph) -> None:
    """Call the one input and the one output by plain names, with a free first length."""
    for values, name in ((graph.inputs, INPUT), (graph.outputs, OUTPUT)):
        if len(values) != 1:
            raise ValueError(f"a network needs one {name}, this one has {len(values)}")
        graph.rename(values[0].name, name)
        values[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def _is_foldable(graph: Graph, conv: Any, norm: Any) -> bool:
    return (
        conv.op_type == "Conv"
        and conv.input[1] in graph.constants
        and len(graph.consumers(conv.output[0])) == 1
        and len(graph.consumers(conv.input[1])) == 1
        and all(name in graph.constants for name in norm.input[1:5])
    )


def _is_batch_of(graph: Graph, node: Any | None, tensor: str) -> bool:
    """Whether a node cuts the first length out of a tensor's shape."""
    if node is None or node.op_type != "Slice":
        return False
    shape = graph.producer(node.input[0])
    bounds = [graph.constants.get(name) for name in node.input[1:3]]
    return (
        shape is not None
        and shape.op_type == "Shape"
        and shape.input[0] == tensor
        and all(bound is not None for bound in bounds)
        and [bound.tolist() for bound in bounds if bound is not None] == [[0], [1]]
    )
