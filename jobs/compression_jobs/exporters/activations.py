"""Activations of the deployed file: pairs of QuantizeLinear and DequantizeLinear, on grids that were learned.

A tensor behind ReLU is stored unsigned from zero, on the learned grid, and the ReLU is left out: a grid that
starts at zero cuts off the same, and the runtime joins what is left to integer kernels. Values beyond the
largest that was seen in training are not cut off then, up to twice of it. Other tensors are stored around
128: the learned grid and the learned limits.

Owns where pairs stand and what they share. Must not estimate a scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from compression_jobs.exporters.graph import Graph, rewire

_SAME: Final = 1e-6
_NOT_NEGATIVE: Final = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softmax"})
_SAME_VALUES: Final = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "MaxPool"})
_KEEPS_SIGN: Final = _SAME_VALUES | {"GlobalAveragePool", "AveragePool"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor on a grid."""

    tensor: str
    step: float
    output: str
    """The tensor's value as the grid has it."""


class Activations:
    """The pairs of a graph; asking for the same one twice gives the same one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._pairs: dict[str, list[Pair]] = {}

    def of(self, tensor: str) -> Pair | None:
        """Any pair that stands on a tensor."""
        return next(iter(self._pairs.get(tensor, [])), None)

    def is_pair_output(self, tensor: str) -> bool:
        """Whether a tensor comes from a pair."""
        return any(pair.output == tensor for pairs in self._pairs.values() for pair in pairs)

    def place(self, tensor: str, step: float) -> Pair:
        """The pair on a tensor with this step, made if need be."""
        known = self._pairs.setdefault(tensor, [])
        for pair in known:
            if abs(pair.step - step) <= _SAME * step:
                return pair
        graph = self._graph
        zero_point = 0 if not_negative(graph, tensor) else 128
        scale = graph.add_constant(f"{tensor}.scale", np.float32(step).reshape(()))
        zero = graph.add_constant(f"{tensor}.zero_point", np.uint8(zero_point).reshape(()))
        stored = graph.add_node("QuantizeLinear", [tensor, scale, zero], f"{tensor}.quantized")
        output = graph.add_node("DequantizeLinear", [stored, scale, zero], f"{tensor}.dequantized")
        known.append(Pair(tensor, step, output))
        return known[-1]

    def feed(self, nodes: Iterable[Any], tensor: str, step: float) -> None:
        """Let nodes read a tensor by way of a pair."""
        pair = self.place(tensor, step)
        for node in nodes:
            rewire(node, tensor, pair.output)

    def spread(self) -> None:
        """Put the same grid before a node that only moves values, so that it moves 8-bit ones."""
        pending = [pair for pairs in self._pairs.values() for pair in pairs]
        while pending:
            pair = pending.pop()
            mover = self._graph.producer(pair.tensor)
            if mover is None or mover.op_type not in _SAME_VALUES or self.is_pair_output(mover.input[0]):
                continue
            source = mover.input[0]
            self.feed([mover], source, pair.step)
            pending.append(self._pairs[source][-1])

    def drop_relus(self) -> None:
        """Take out each ReLU that only grids read which end at zero: they cut off the same."""
        graph = self._graph
        for relu in graph.of_type("Relu"):
            readers = graph.consumers(relu.output[0])
            if readers and not graph.is_output(relu.output[0]) and all(map(self._starts_at_zero, readers)):
                graph.bypass(relu, relu.input[0])

    def _starts_at_zero(self, node: Any) -> bool:
        return node.op_type == "QuantizeLinear" and int(self._graph.constants[node.input[2]]) == 0


def not_negative(graph: Graph, tensor: str) -> bool:
    """Whether a tensor can hold no negative value, as far as the nodes before it tell."""
    node = graph.producer(tensor)
    while node is not None and node.op_type in _KEEPS_SIGN | {"DequantizeLinear", "QuantizeLinear"}:
        node = graph.producer(node.input[0])
    return node is not None and node.op_type in _NOT_NEGATIVE
