"""The float model as it is deployed and compared against: what a converter leaves, tidied.

Owns the order of the passes that change a graph's form and not its function: batch normalisation folded into
layers, a flattening as one node, a fully connected layer as one node, plain names of input and output.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.exporters.folding import fold_batch_norm, fold_bias
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.problems import ExportProblem

INPUT: Final = "input"
OUTPUT: Final = "logits"
_END_NAMES: Final = {INPUT: "input", OUTPUT: "output"}


def tidy(graph: Graph) -> dict[str, NDArray[np.float32]]:
    """Apply all passes.

    Returns:
        For each weight that a batch normalisation was folded into, the factor of each output channel: a scale
        that was learned on the weight before must be multiplied by its absolute value.

    Raises:
        ExportProblem: the network has not one input and one output.
    """
    name_ends(graph)
    flatten_reshapes(graph)
    join_linear(graph)
    fold_bias(graph)
    return fold_batch_norm(graph)


def flatten_reshapes(graph: Graph) -> None:
    """Let a Reshape that keeps first lengths say so by constants, not by the input's own shape."""
    for reshape in graph.of_type("Reshape"):
        concat = graph.producer(reshape.input[1])
        if concat is None or concat.op_type != "Concat" or len(concat.input) != 2:
            continue
        rest = graph.constants.get(concat.input[1])
        kept = _first_lengths(graph, concat.input[0], reshape.input[0])
        if rest is None or not kept:
            continue
        graph.remove(reshape)
        if kept == 1 and rest.tolist() == [-1]:
            graph.add_node("Flatten", [reshape.input[0]], reshape.output[0], axis=1)
        else:
            shape = np.asarray([0] * kept + rest.tolist(), np.int64)  # 0 keeps a length
            name = graph.add_constant(f"{reshape.output[0]}.shape", shape)
            graph.add_node("Reshape", [reshape.input[0], name], reshape.output[0])


def join_linear(graph: Graph) -> None:
    """Make Gemm of a MatMul of two dimensions with a constant and the Add of a constant behind it."""
    ranks = graph.ranks()
    for product in graph.of_type("MatMul"):
        readers = graph.consumers(product.output[0])
        weight = graph.constants.get(product.input[1])
        if weight is None or weight.ndim != 2 or len(readers) != 1 or readers[0].op_type != "Add":
            continue
        add = readers[0]
        others = [name for name in add.input if name != product.output[0]]
        if len(others) != 1 or others[0] not in graph.constants or graph.constants[others[0]].ndim != 1:
            continue
        if ranks.get(product.input[0]) != 2:
            continue
        graph.remove(product)
        graph.remove(add)
        graph.add_node("Gemm", [product.input[0], product.input[1], others[0]], add.output[0])


def name_ends(graph: Graph) -> None:
    """Call the one input and the one output by plain names, with a free first length."""
    for values, name in ((graph.inputs, INPUT), (graph.outputs, OUTPUT)):
        if len(values) != 1:
            raise ExportProblem(f"a network needs one {_END_NAMES[name]}, this one has {len(values)}")
        graph.rename(values[0].name, name)
        values[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def _first_lengths(graph: Graph, tensor: str, source: str) -> int:
    """How many first lengths of a source's shape a tensor holds; 0 where it is something else."""
    node = graph.producer(tensor)
    if node is None or node.op_type != "Slice":
        return 0
    shape = graph.producer(node.input[0])
    bounds = [graph.constants.get(name) for name in node.input[1:3]]
    if shape is None or shape.op_type != "Shape" or shape.input[0] != source:
        return 0
    start, end = (bound.tolist() if bound is not None else [] for bound in bounds)
    return int(end[0]) if start == [0] and len(end) == 1 and end[0] > 0 else 0
