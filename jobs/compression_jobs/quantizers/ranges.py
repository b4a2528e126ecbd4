"""What the inputs of a network's layers reach, on calibration data.

Owns which layers can be quantised, and the numbers that are kept of what they read: a few for each channel,
however many batches there are. Must not choose a grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.framework import nn, paddle

Numbers = NDArray[np.float32]
LAYERS: Final = (nn.Conv2D, nn.Conv2DTranspose, nn.Linear)


@dataclass(slots=True)
class Range:
    """The values that one layer read."""

    low: Numbers
    """The smallest of each channel, [channels]."""
    high: Numbers
    """The largest of each channel, [channels]."""
    lows: list[float] = field(default_factory=list)
    """The smallest of each batch."""
    highs: list[float] = field(default_factory=list)
    """The largest of each batch."""

    @property
    def typical(self) -> tuple[float, float]:
        """The mean over batches of their extremes: one odd sample among many does not decide."""
        return float(np.mean(self.lows)), float(np.mean(self.highs))

    @property
    def not_negative(self) -> bool:
        """Whether no value was below zero."""
        return bool(self.low.min() >= 0)

    def widen(self, low: Numbers, high: Numbers) -> None:
        """Take in another batch."""
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self.lows.append(float(low.min()))
        self.highs.append(float(high.max()))


def layers_of(network: Any) -> dict[str, Any]:
    """The layers that can be quantised, by path."""
    return {path: layer for path, layer in network.named_sublayers() if isinstance(layer, LAYERS)}


def observe(network: Any, batches: Iterable[NDArray[Any]]) -> Mapping[str, Range]:
    """Run a float network on calibration data, a batch at a time.

    Args:
        network: it is left in evaluation mode.
        batches: inputs, [n, ...].

    Returns:
        For each layer that was run, by path, what it read.
    """
    found: dict[str, Range] = {}

    def hook(path: str, channel_axis: int) -> Any:
        def read(layer: Any, inputs: tuple[Any, ...]) -> None:  # noqa: ARG001 - Paddle's form of a hook
            tensor = inputs[0].detach()
            axes = [axis for axis in range(len(tensor.shape)) if axis != channel_axis % len(tensor.shape)]
            low, high = tensor.min(axes).numpy(), tensor.max(axes).numpy()
            if path not in found:
                found[path] = Range(low, high)
            found[path].widen(low, high)

        return read

    hooks = [
        layer.register_forward_pre_hook(hook(path, -1 if isinstance(layer, nn.Linear) else 1))
        for path, layer in layers_of(network).items()
    ]
    network.eval()
    try:
        with paddle.no_grad():
            for batch in batches:
                network(paddle.to_tensor(batch))
    finally:
        for one in hooks:
            one.remove()
    return found
