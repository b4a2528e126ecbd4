"""A detector that sees objects as points (Zhou et al. 2019, CenterNet), small enough for a processor.

Owns the body: residual stages down to a stride of 4 and deeper, brought back to 4 and added, as feature
pyramids do (Lin et al. 2017). What the output means is `tasks.centernet`'s to say. Upsampling repeats pixels:
unlike a transposed convolution that has an integer kernel on every runtime.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from compression_jobs.errors import Misconfigured
from compression_jobs.framework import nn, paddle
from compression_jobs.networks.blocks import Residual, convolution, projection
from compression_jobs.tasks.centernet import GEOMETRY, STRIDE

RARE: Final = 0.1
"""The chance that a fresh network sees an object in a cell: most hold none, and a fresh guess of a half would
drown the few that do (Lin et al. 2017, Focal loss, section 4.1)."""


@dataclass(frozen=True, slots=True)
class CenterNet:
    """Channels at strides of 2, 4, 8 and on, residual blocks of each stage, and channels of the head."""

    stem: int = 16
    stages: tuple[int, ...] = (32, 64)
    blocks: int = 1
    head: int = 64

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights: images [n, channels, h, w] to maps [n, classes + 4, h / 4, w / 4].

        Raises:
            Misconfigured: ShapeUnsupported, the deepest stage does not divide the image.
        """
        channels, height, width = input_shape
        divisor = STRIDE * 2 ** (len(self.stages) - 1)
        if height % divisor or width % divisor:
            raise Misconfigured(
                "ShapeUnsupported",
                f"This detector needs images whose sides are multiples of {divisor}, not {height}x{width}; "
                "choose another student.arch or another size.",
            )
        return Detector(self, channels, classes)


class Detector(nn.Layer):  # type: ignore[misc]
    """See the module."""

    def __init__(self, shape: CenterNet, channels: int, classes: int) -> None:
        super().__init__()
        self.stem = convolution(channels, shape.stem, 3, stride=2)
        widths = (shape.stem, *shape.stages)
        self.stages = nn.LayerList(
            [
                nn.Sequential(
                    Residual(inputs, outputs, 2),
                    *(Residual(outputs, outputs, 1) for _ in range(shape.blocks - 1)),
                )
                for inputs, outputs in zip(widths, shape.stages, strict=False)
            ]
        )
        self.sides = nn.LayerList([projection(width, shape.head, 1) for width in shape.stages])
        self.double = nn.Upsample(scale_factor=2, mode="nearest")
        self.joined = nn.LayerList([nn.ReLU() for _ in shape.stages])
        self.head = convolution(shape.head, shape.head, 3)
        biases = np.zeros(classes + GEOMETRY, np.float32)
        biases[:classes] = -math.log(1 / RARE - 1)
        fresh = paddle.ParamAttr(initializer=nn.initializer.Assign(biases))
        self.output = nn.Conv2D(shape.head, classes + GEOMETRY, 1, bias_attr=fresh)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """See CenterNet.build."""
        features, levels = self.stem(images), []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        merged = self.joined[-1](self.sides[-1](levels[-1]))
        for level in range(len(levels) - 2, -1, -1):
            merged = self.joined[level](self.sides[level](levels[level]) + self.double(merged))
        return self.output(self.head(merged))
