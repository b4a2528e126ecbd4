"""MobileNetV2 (Sandler et al. 2018) by shape.

Owns how a description becomes layers. Must not know names; those are in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from compression_jobs.framework import nn, paddle
from compression_jobs.networks.blocks import Classifier, convolution, depthwise, divisible, projection

STAGES: Final = (
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
)
"""Expansion, channels, blocks, stride of the first block (table 2 of the paper)."""


class LinearBottleneck(nn.Layer):  # type: ignore[misc]
    """Expand, filter each channel, project without activation; a shortcut where the shapes are the same."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Layer] = []
        if expansion > 1:
            layers.append(convolution(inputs, hidden, 1, activation=nn.ReLU6))
        layers.append(depthwise(hidden, 3, stride=stride, activation=nn.ReLU6))
        layers.append(projection(hidden, outputs, 1))
        self.body = nn.Sequential(*layers)
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        changed = self.body(features)
        return features + changed if self.has_shortcut else changed


@dataclass(frozen=True, slots=True)
class MobileNetV2:
    """A stem, stages of linear bottlenecks, and a last pointwise convolution."""

    stem: tuple[int, int] = (32, 2)
    """Channels and stride."""
    stages: tuple[tuple[int, int, int, int], ...] = STAGES
    last: int = 1280
    """Channels before the pooling; a width above 1 multiplies them too, one below does not."""
    width: float = 1.0

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights."""
        channels = divisible(self.stem[0] * self.width)
        body: list[nn.Layer] = [
            convolution(input_shape[0], channels, 3, stride=self.stem[1], activation=nn.ReLU6)
        ]
        for expansion, wanted, blocks, stride in self.stages:
            outputs = divisible(wanted * self.width)
            for block in range(blocks):
                body.append(LinearBottleneck(channels, outputs, 1 if block else stride, expansion))
                channels = outputs
        last = divisible(self.last * max(1.0, self.width))
        body.append(convolution(channels, last, 1, activation=nn.ReLU6))
        return Classifier(body, last, (), classes)
