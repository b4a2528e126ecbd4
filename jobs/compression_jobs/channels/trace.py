"""A network as a list of operators.

Owns the one form in which a network's structure is looked at: what it computes, not how its layers are
nested, so that networks need nothing special. Must not load a training framework.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Operator:
    """One step of a program; tensors and parameters by name."""

    kind: str
    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, tuple[str, ...]]
    attributes: Mapping[str, Any]

    def input(self, slot: str) -> str:
        """The one tensor of a slot."""
        return self.inputs[slot][0]

    @property
    def reads(self) -> tuple[str, ...]:
        """All tensors that it reads."""
        return tuple(name for names in self.inputs.values() for name in names)

    @property
    def writes(self) -> tuple[str, ...]:
        """All tensors that it makes."""
        return tuple(name for names in self.outputs.values() for name in names)

    @property
    def result(self) -> str:
        """The tensor that it is for; others are what a framework keeps beside it."""
        for slot in ("Output", "Out", "Y"):
            if self.outputs.get(slot):
                return self.outputs[slot][0]
        return self.writes[0]


@dataclass(frozen=True, slots=True)
class Trace:
    """A network's operators in their order."""

    operators: tuple[Operator, ...]
    shapes: Mapping[str, tuple[int, ...]]
    """Of all tensors and parameters; -1 is free."""
    parameters: frozenset[str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def readers(self, tensor: str) -> list[Operator]:
        """The operators that read a tensor."""
        return [operator for operator in self.operators if tensor in operator.reads]

    def maker(self, tensor: str) -> Operator | None:
        """The operator that makes a tensor; None for inputs and parameters."""
        return next((operator for operator in self.operators if operator.result == tensor), None)

    @property
    def multiplications(self) -> int:
        """Multiply-accumulate operations of convolutions and fully connected layers for one sample."""
        return sum(self._multiplications(operator) for operator in self.operators)

    def _multiplications(self, operator: Operator) -> int:
        weight = weight_of(operator, self.parameters)
        if weight is None:
            return 0
        # Each number of a weight is used once for each place of the output, or, where filters spread what
        # they read, of the input.
        spreads = operator.kind == "conv2d_transpose"
        place = self.shapes[operator.input("Input") if spreads else operator.result]
        places = place[2:] if "Filter" in operator.inputs else place[1:-1]
        return math.prod(self.shapes[weight]) * math.prod(abs(length) for length in places)


def weight_of(operator: Operator, parameters: frozenset[str]) -> str | None:
    """The weight of a convolution or fully connected layer; None for other operators."""
    if operator.kind in {"conv2d", "depthwise_conv2d", "conv2d_transpose", "depthwise_conv2d_transpose"}:
        return operator.input("Filter")
    if operator.kind in {"matmul_v2", "mul", "matmul"} and operator.input("Y") in parameters:
        return operator.input("Y")
    return None
