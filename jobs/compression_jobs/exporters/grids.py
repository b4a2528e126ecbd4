"""Grids of 8-bit activations: which one a tensor gets, given what was learned or measured and what is known.

All of them are unsigned bytes: value = (byte - zero point) * step. What a tensor can hold is known from the
nodes before it, and what is read of it from the nodes behind: neither asks for a range that is never used.
Owns the choice of a grid. Must not change a graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.scales import LayerScales

LARGEST: Final = 255
SAME_VALUES: Final = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "MaxPool"})
"""Operators that move or choose values: a grid before them is a grid behind them."""
_NO_LARGER: Final = SAME_VALUES | {"GlobalAveragePool", "AveragePool", "DequantizeLinear", "QuantizeLinear"}
_NOT_NEGATIVE: Final = frozenset({"Relu", "Sigmoid", "HardSigmoid", "Softmax"})
_CONSTANT_BELOW: Final = {"HardSwish": -3.0, "HardSigmoid": -3.0}
"""Below this their answer is the same (0), as ONNX defines them."""
_FEW: Final = 8
"""Numbers below zero that a grid from 0 to 255 can do without."""
_CUT_OFF: Final = 1.05
"""From this share of a grid's end on, values are cut off for a purpose."""
_CENTRE: Final = 128
_MOST_OF_SIGNED: Final = 127
_SAME: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Grid:
    """Where 256 values lie."""

    step: float
    zero_point: int

    @property
    def low(self) -> float:
        """The least value."""
        return -self.zero_point * self.step

    @property
    def high(self) -> float:
        """The largest value."""
        return (LARGEST - self.zero_point) * self.step

    def equals(self, other: Grid) -> bool:
        """The same but for rounding."""
        return self.zero_point == other.zero_point and abs(self.step - other.step) <= _SAME * self.step

    @classmethod
    def spanning(cls, low: float, high: float) -> Grid:
        """All 256 values from low to high; zero is one of them, so that padding stays exact."""
        low, high = min(low, 0.0), max(high, 0.0)
        step = max((high - low) / LARGEST, 1e-12)
        return cls(step, round(-low / step))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a tensor can hold at most."""

    low: float = -math.inf
    high: float = math.inf


def bounds(graph: Graph, tensor: str) -> Bounds:
    """The bounds of a tensor as far as the nodes before it tell."""
    node = graph.producer(tensor)
    while node is not None and node.op_type in _NO_LARGER:
        node = graph.producer(node.input[0])
    if node is None:
        return Bounds()
    if node.op_type == "Clip":
        return clip_bounds(graph, node)
    if node.op_type == "Concat":
        parts = [bounds(graph, name) for name in node.input]
        return Bounds(min(part.low for part in parts), max(part.high for part in parts))
    return Bounds(0.0) if node.op_type in _NOT_NEGATIVE else Bounds()


def clip_bounds(graph: Graph, clip: Any) -> Bounds:
    """Between which values a Clip cuts off; computed ones are not known."""
    ends = [graph.constants.get(name) for name in clip.input[1:3]]
    low, high = (float(np.ravel(end)[0]) if end is not None else None for end in [*ends, None, None][:2])
    return Bounds(-math.inf if low is None else low, math.inf if high is None else high)


def learned(graph: Graph, layer: LayerScales, tensor: str, reached: float) -> Grid:
    """The grid for a layer's input that its training or calibration chose.

    Signed grids were chosen from -127 to 127. A tensor that cannot be negative needs no more than their upper
    half: its bytes start at zero, and what cuts off below zero can be left out. Where its values stay below
    the chosen end, the step is kept, and the answers are those of the chosen grid to the last bit. Where they
    do not, the end was chosen to cut off: it is kept, and the step is finer.

    Args:
        graph: the float one.
        layer: what was chosen.
        tensor: the layer's input.
        reached: its typical largest value on calibration data.
    """
    known, step = bounds(graph, tensor), layer.input_step
    zero_point = layer.input_zero_point
    if known.low < 0:
        return Grid(step, _CENTRE if zero_point is None else zero_point)
    top = (_MOST_OF_SIGNED if zero_point is None else LARGEST - zero_point) * step
    keeps_step = reached <= top * _CUT_OFF if zero_point is None else zero_point <= _FEW
    if keeps_step and step * LARGEST <= known.high * (1 + _SAME):
        return Grid(step, 0)
    return Grid(min(top, known.high) / LARGEST, 0)


def measured(graph: Graph, tensor: str, low: float, high: float) -> Grid:
    """The grid for a tensor of which calibration data showed the range."""
    known = bounds(graph, tensor)
    readers = {node.op_type for node in graph.consumers(tensor)}
    useless = min((_CONSTANT_BELOW.get(name, -math.inf) for name in readers), default=-math.inf)
    return Grid.spanning(max(low, known.low, useless), min(high, known.high))
