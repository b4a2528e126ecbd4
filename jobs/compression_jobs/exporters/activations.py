"""Activations of the deployed file: pairs of QuantizeLinear and DequantizeLinear on given grids.

A kernel that computes in integers ends in one QuantizeLinear: ReLU and Clip between are left out where the
grid cuts off the same, and a second grid for the same tensor stands behind the first. Owns where pairs stand
and what they share. Must not estimate a grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from compression_jobs.exporters.graph import Graph, rewire
from compression_jobs.exporters.grids import SAME_VALUES, Bounds, Grid, clip_bounds


@dataclass(frozen=True, slots=True)
class Pair:
    """A tensor on a grid."""

    tensor: str
    grid: Grid
    quantise: Any
    """Its QuantizeLinear."""
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

    def place(self, tensor: str, grid: Grid) -> Pair:
        """The pair on a tensor with this grid, made if need be."""
        known = self._pairs.setdefault(tensor, [])
        for pair in known:
            if pair.grid.equals(grid):
                return pair
        graph = self._graph
        scale = graph.add_constant(f"{tensor}.scale", np.float32(grid.step).reshape(()))
        zero = graph.add_constant(f"{tensor}.zero_point", np.uint8(grid.zero_point).reshape(()))
        stored = graph.add_node("QuantizeLinear", [tensor, scale, zero], f"{tensor}.quantized")
        quantise = graph.nodes[-1]
        output = graph.add_node("DequantizeLinear", [stored, scale, zero], f"{tensor}.dequantized")
        known.append(Pair(tensor, grid, quantise, output))
        return known[-1]

    def feed(self, nodes: Iterable[Any], tensor: str, grid: Grid) -> None:
        """Let nodes read a tensor by way of a pair."""
        pair = self.place(tensor, grid)
        for node in nodes:
            rewire(node, tensor, pair.output)

    def spread(self) -> None:
        """Put the same grid before a node that only moves values, so that it moves 8-bit ones."""
        pending = [pair for pairs in self._pairs.values() for pair in pairs]
        while pending:
            pair = pending.pop()
            mover = self._graph.producer(pair.tensor)
            if mover is None or mover.op_type not in SAME_VALUES or self.is_pair_output(mover.input[0]):
                continue
            if any(node.op_type != "QuantizeLinear" for node in self._graph.consumers(pair.tensor)):
                continue  # what else reads it would read rounded values
            source = mover.input[0]
            self.feed([mover], source, pair.grid)
            pending.append(self._pairs[source][-1])

    def chain(self) -> None:
        """Let one pair stand on each computed tensor, the widest; others read its values.

        Layers that read one tensor may have learned different grids for it. An integer kernel writes one.
        """
        for tensor, pairs in self._pairs.items():
            if len(pairs) > 1 and self._graph.producer(tensor) is not None:
                widest = max(pairs, key=lambda pair: pair.grid.high - pair.grid.low)
                for pair in pairs:
                    if pair is not widest:
                        pair.quantise.input[0] = widest.output

    def drop_cut_offs(self) -> None:
        """Take out each ReLU and Clip that only grids read which cut off the same."""
        graph = self._graph
        for node in graph.of_type("Relu", "Clip"):
            readers = graph.consumers(node.output[0])
            known = Bounds(0.0) if node.op_type == "Relu" else clip_bounds(graph, node)
            if not readers or graph.is_output(node.output[0]):
                continue
            if all(self._cuts_off(reader, node.output[0], known) for reader in readers):
                graph.bypass(node, node.input[0])

    def _cuts_off(self, reader: Any, tensor: str, known: Bounds) -> bool:
        """Whether a node is a QuantizeLinear whose grid lies within bounds, but for a step at either end."""
        pair = next((pair for pair in self._pairs.get(tensor, []) if pair.quantise is reader), None)
        if pair is None:
            return False
        slack = 0.0 if known.low == 0 else pair.grid.step
        return pair.grid.low >= known.low - slack and pair.grid.high <= known.high + pair.grid.step
