"""The pieces that networks are made of.

Owns layers whose quantised form is known to convert: convolution, batch normalisation, activation, and the
blocks that several networks share. Must not know any network.
"""

from __future__ import annotations

from typing import Any

from compression_jobs.framework import nn, paddle

Activation = Any
"""The class of an activation layer, made without arguments; Paddle is not typed."""


def convolution(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, activation: Activation = nn.ReLU
) -> nn.Sequential:
    """Convolution with as much padding as keeps the size at stride 1, batch normalisation, activation."""
    return nn.Sequential(*_normalised(inputs, outputs, kernel, stride, 1), activation())


def depthwise(
    channels: int, kernel: int, *, stride: int = 1, activation: Activation = nn.ReLU
) -> nn.Sequential:
    """The same with a filter of its own for each channel (Howard et al. 2017, MobileNets)."""
    return nn.Sequential(*_normalised(channels, channels, kernel, stride, channels), activation())


def projection(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """Convolution and batch normalisation without activation: what is added to a residual path."""
    return nn.Sequential(*_normalised(inputs, outputs, kernel, stride, 1))


def _normalised(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int
) -> tuple[nn.Layer, nn.Layer]:
    layer = nn.Conv2D(
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias_attr=False
    )
    return layer, nn.BatchNorm2D(outputs)


def divisible(channels: float) -> int:
    """A scaled width as a multiple of 8, which vector units like; no more than a tenth is lost by it.

    As MobileNet's authors round (github.com/tensorflow/models, research/slim/nets/mobilenet).
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class DepthwiseSeparable(nn.Layer):  # type: ignore[misc]
    """Depthwise 3x3, then pointwise (Howard et al. 2017, MobileNets)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = depthwise(inputs, 3, stride=stride)
        self.pointwise = convolution(inputs, outputs, 1)

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        return self.pointwise(self.depthwise(features))


class Residual(nn.Layer):  # type: ignore[misc]
    """The basic block of two 3x3 convolutions with a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, 3, stride=stride)
        self.second = projection(outputs, outputs, 3)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else projection(inputs, outputs, 1, stride=stride)
        self.activation = nn.ReLU()

    def forward(self, features: paddle.Tensor) -> paddle.Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        return self.activation(self.second(self.first(features)) + self.shortcut(features))


class Classifier(nn.Layer):  # type: ignore[misc]
    """A body of convolutions, global average pooling, and fully connected layers."""

    def __init__(
        self,
        body: list[nn.Layer],
        features: int,
        hidden: tuple[int, ...],
        classes: int,
        activation: Activation = nn.ReLU,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.pool = nn.AdaptiveAvgPool2D(1)
        layers: list[nn.Layer] = []
        for width in hidden:
            layers += [nn.Linear(features, width), activation()]
            features = width
        self.head = nn.Sequential(*layers, nn.Linear(features, classes))

    # Paddle's export finds the parameters of a method by the name of its first one, which must be `self`.
    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """Images [n, channels, h, w] to logits [n, classes]."""
        return self.head(self.pool(self.body(images)).flatten(1))
