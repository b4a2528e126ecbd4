"""MobileNetV1 (Howard et al. 2017) by shape.

Owns how a description becomes layers. Must not know names; those are in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_jobs.framework import nn
from compression_jobs.networks.blocks import Classifier, DepthwiseSeparable, convolution, divisible


@dataclass(frozen=True, slots=True)
class Stem:
    """A full convolution in front."""

    channels: int
    kernel: int = 3
    stride: int = 2


@dataclass(frozen=True, slots=True)
class MobileNetV1:
    """Stems, depthwise separable blocks of (channels, stride), and hidden layers after the pooling."""

    stems: tuple[Stem, ...] = (Stem(32),)
    blocks: tuple[tuple[int, int], ...] = (
        *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
        *((512, 1),) * 5,
        *((1024, 2), (1024, 1)),
    )
    hidden: tuple[int, ...] = ()
    width: float = 1.0
    """Multiplies the channels of stems and blocks."""

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights."""
        channels = input_shape[0]
        body: list[nn.Layer] = []
        for stem in self.stems:
            outputs = divisible(stem.channels * self.width)
            body.append(convolution(channels, outputs, stem.kernel, stride=stem.stride))
            channels = outputs
        for wanted, stride in self.blocks:
            outputs = divisible(wanted * self.width)
            body.append(DepthwiseSeparable(channels, outputs, stride))
            channels = outputs
        return Classifier(body, channels, self.hidden, classes)
