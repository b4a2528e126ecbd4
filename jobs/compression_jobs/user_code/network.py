"""An author's network, as the registry of networks takes it.

Owns the checks that make what was returned usable by training and export.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compression_jobs import networks
from compression_jobs.framework import nn
from compression_jobs.user_code.entry_points import NAME, invalid


def register(make: Callable[[tuple[int, ...], int], Any]) -> None:
    """Let the stages find it."""
    networks.register(NAME, AuthoredNetwork(make))


@dataclass(frozen=True, slots=True)
class AuthoredNetwork:
    """See `networks.Network`."""

    make: Callable[[tuple[int, ...], int], Any]

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights.

        Raises:
            InvalidData: CodeInvalid; and whatever the code raises.
        """
        network = self.make(tuple(input_shape), classes)
        if not isinstance(network, nn.Layer):
            raise invalid(f"its network is a {type(network).__name__}, no paddle.nn.Layer")
        first = next(iter(inspect.signature(type(network).forward).parameters), "")
        if first != "self":
            # Paddle's export finds the parameters of a method by the name of its first one.
            raise invalid(f"the first parameter of {type(network).__name__}.forward is {first!r}, not self")
        return network
