"""MobileNetV3 (Howard et al. 2019) by shape.

Owns how a description becomes layers. Must not know names; those are in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from compression_jobs.framework import nn, paddle
from compression_jobs.networks.blocks import Classifier, convolution, depthwise, divisible, projection

_SQUEEZE: Final = 4
"""Channels of a squeeze-and-excite block for each one in its bottleneck (section 5.3 of the paper)."""


@dataclass(frozen=True, slots=True)
class Block:
    """A row of the paper's tables."""

    kernel: int
    expanded: int
    channels: int
    squeeze: bool
    hard_swish: bool
    """Or else ReLU."""
    stride: int = 1


SMALL: Final = (
    *(Block(3, 16, 16, True, False, 2), Block(3, 72, 24, False, False, 2), Block(3, 88, 24, False, False)),
    *(Block(5, 96, 40, True, True, 2), Block(5, 240, 40, True, True), Block(5, 240, 40, True, True)),
    *(Block(5, 120, 48, True, True), Block(5, 144, 48, True, True)),
    *(Block(5, 288, 96, True, True, 2), Block(5, 576, 96, True, True), Block(5, 576, 96, True, True)),
)
"""MobileNetV3-Small, table 2."""


class SqueezeExcite(nn.Layer):  # type: ignore[misc]
    """Weigh channels by what all of them hold on average (Hu et al. 2018), with a hard sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = divisible(channels / _SQUEEZE)
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.reduce = nn.Conv2D(channels, hidden, 1)
        self.relu = nn.ReLU()
        self.expand = nn.Conv2D(hidden, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        """[n, channels, h, w] to the same."""
        return features * self.gate(self.expand(self.relu(self.reduce(self.pool(features)))))


class Bottleneck(nn.Layer):  # type: ignore[misc]
    """MobileNetV2's linear bottleneck with squeeze-and-excite between its filter and its projection."""

    def __init__(self, inputs: int, block: Block) -> None:
        super().__init__()
        activation = nn.Hardswish if block.hard_swish else nn.ReLU
        layers: list[nn.Layer] = []
        if block.expanded != inputs:
            layers.append(convolution(inputs, block.expanded, 1, activation=activation))
        layers.append(depthwise(block.expanded, block.kernel, stride=block.stride, activation=activation))
        if block.squeeze:
            layers.append(SqueezeExcite(block.expanded))
        layers.append(projection(block.expanded, block.channels, 1))
        self.body = nn.Sequential(*layers)
        self.has_shortcut = block.stride == 1 and inputs == block.channels

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        """[n, inputs, h, w] to [n, block.channels, h / block.stride, w / block.stride]."""
        changed = self.body(features)
        return features + changed if self.has_shortcut else changed


@dataclass(frozen=True, slots=True)
class MobileNetV3:
    """A stem, bottlenecks, a last pointwise convolution, and a hidden layer after the pooling."""

    stem: tuple[int, int] = (16, 2)
    """Channels and stride."""
    blocks: tuple[Block, ...] = SMALL
    last: int = 576
    """Channels before the pooling."""
    hidden: int = 1024
    """Features after it; a width above 1 multiplies them too, one below does not."""
    width: float = 1.0

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights."""
        channels = divisible(self.stem[0] * self.width)
        body: list[nn.Layer] = [
            convolution(input_shape[0], channels, 3, stride=self.stem[1], activation=nn.Hardswish)
        ]
        for block in self.blocks:
            scaled = Block(
                block.kernel,
                divisible(block.expanded * self.width),
                divisible(block.channels * self.width),
                block.squeeze,
                block.hard_swish,
                block.stride,
            )
            body.append(Bottleneck(channels, scaled))
            channels = scaled.channels
        last = divisible(self.last * self.width)
        body.append(convolution(channels, last, 1, activation=nn.Hardswish))
        hidden = divisible(self.hidden * max(1.0, self.width))
        return Classifier(body, last, (hidden,), classes, nn.Hardswish)
