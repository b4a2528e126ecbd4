"""The pieces that networks are made of.

Owns layers whose quantised form is known to convert: convolution, batch normalisation, ReLU. Must not know
any network.
"""

from __future__ import annotations

from compression_jobs.framework import nn, paddle


def convolution(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution with as much padding as keeps the size at stride 1, batch normalisation, ReLU."""
    return nn.Sequential(*_normalised(inputs, outputs, kernel, stride, groups), nn.ReLU())


def projection(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """The same without ReLU: what is added to a residual path."""
    return nn.Sequential(*_normalised(inputs, outputs, kernel, stride, 1))


def _normalised(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int
) -> tuple[nn.Layer, nn.Layer]:
    layer = nn.Conv2D(
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias_attr=False
    )
    return layer, nn.BatchNorm2D(outputs)


class DepthwiseSeparable(nn.Layer):  # type: ignore[misc]
    """Depthwise 3x3, then pointwise (Howard et al. 2017, MobileNets)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = convolution(inputs, inputs, 3, stride=stride, groups=inputs)
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

    def __init__(self, body: list[nn.Layer], features: int, hidden: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.pool = nn.AdaptiveAvgPool2D(1)
        layers: list[nn.Layer] = []
        for width in hidden:
            layers += [nn.Linear(features, width), nn.ReLU()]
            features = width
        self.head = nn.Sequential(*layers, nn.Linear(features, classes))

    # Paddle's export finds the parameters of a method by the name of its first one, which must be `self`.
    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """Images [n, channels, h, w] to logits [n, classes]."""
        return self.head(self.pool(self.body(images)).flatten(1))
