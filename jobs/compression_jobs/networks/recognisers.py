"""Recognisers of lines of text: convolutions that squeeze the height, then a sequence.

Owns the convolutional recurrent network (Shi et al. 2017, CRNN) and one that is convolutions throughout. Both
give a frame for each four pixels of width, so that one can teach the other frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compression_jobs.errors import Misconfigured
from compression_jobs.framework import nn, paddle

_STRIDES = ((2, 2), (2, 2), (2, 1), (2, 1))
"""Of the stages in height and width: letters are narrow."""


@dataclass(frozen=True, slots=True)
class Recogniser:
    """Channels of the stages, and the sequence: recurrent layers of so many features, or convolutions."""

    channels: tuple[int, int, int, int] = (16, 32, 48, 64)
    sequence: Literal["GRU", "LSTM", "Convolution"] = "Convolution"
    features: int = 64
    """Of the sequence; a recurrent one has as many in each direction."""

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights: images [n, channels, h, w] to scores [n, w / 4, classes + 1].

        Raises:
            Misconfigured: ShapeUnsupported, the stages do not divide the image.
        """
        channels, height, width = input_shape
        if height % 16 or width % 4:
            raise Misconfigured(
                "ShapeUnsupported",
                f"This recogniser needs images whose height is a multiple of 16 and width of 4, not "
                f"{height}x{width}; choose another student.arch or another size.",
            )
        body, inputs = [], channels
        for outputs, stride in zip(self.channels, _STRIDES, strict=True):
            body.append(_convolution(inputs, outputs, (3, 3), stride))
            inputs = outputs
        body.append(_convolution(inputs, self.features, (height // 16, 1), padding=(0, 0)))
        if self.sequence == "Convolution":
            return Convolutional(body, self.features, classes + 1)
        return Recurrent(body, self.features, classes + 1, self.sequence)


class Convolutional(nn.Layer):  # type: ignore[misc]
    """A sequence by convolutions along the width: every layer has an integer kernel."""

    def __init__(self, body: list[nn.Layer], features: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.sequence = nn.Sequential(*(_convolution(features, features, (1, 5)) for _ in range(2)))
        self.output = nn.Conv2D(features, outputs, 1)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """See Recogniser.build."""
        return self.output(self.sequence(self.body(images))).squeeze(2).transpose([0, 2, 1])


class Recurrent(nn.Layer):  # type: ignore[misc]
    """A sequence by one recurrent layer in both directions."""

    def __init__(self, body: list[nn.Layer], features: int, outputs: int, kind: str) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        layer = nn.GRU if kind == "GRU" else nn.LSTM
        self.sequence = layer(features, features, direction="bidirect")
        self.output = nn.Linear(2 * features, outputs)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """See Recogniser.build."""
        frames = self.body(images).squeeze(2).transpose([0, 2, 1])
        return self.output(self.sequence(frames)[0])


def _convolution(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] | None = None,
) -> nn.Sequential:
    around = (kernel[0] // 2, kernel[1] // 2) if padding is None else padding
    layer = nn.Conv2D(inputs, outputs, kernel, stride=stride, padding=around, bias_attr=False)
    return nn.Sequential(layer, nn.BatchNorm2D(outputs), nn.ReLU())
