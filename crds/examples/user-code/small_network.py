"""A network of your own: three convolutions and a linear layer.

Any `paddle.nn.Layer` with one input and one output will do; the layers that INT8 speeds up are convolutions
and fully connected ones.
"""

from __future__ import annotations

import paddle
from paddle import nn


class SmallNetwork(nn.Layer):
    """Images [n, channels, height, width] to logits [n, classes]."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers = []
        for width in (16, 32, 64):
            layers += [
                nn.Conv2D(channels, width, 3, stride=2, padding=1, bias_attr=False),
                nn.BatchNorm2D(width),
                nn.ReLU(),
            ]
            channels = width
        self.body = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.head = nn.Linear(channels, classes)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """The first parameter must be named self: Paddle's export asks for it."""
        return self.head(self.pool(self.body(images)).flatten(1))


def build(input_shape: tuple[int, ...], num_classes: int) -> nn.Layer:
    """The entry point `network`.

    Args:
        input_shape: of one sample, channels first, from `spec.student.inputShape`.
        num_classes: from `spec.student.numClasses`.
    """
    return SmallNetwork(input_shape[0], num_classes)
