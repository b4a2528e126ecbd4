"""ResNet for small images (He et al. 2016, section 4.2) by shape.

Owns how a description becomes layers. Must not know names; those are in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_jobs.framework import nn
from compression_jobs.networks.blocks import Classifier, Residual, convolution


@dataclass(frozen=True, slots=True)
class ResNet:
    """Stages of basic blocks, each stage with twice the channels at half the size of the one before."""

    blocks: tuple[int, ...] = (1, 1, 1)
    """Blocks of each stage; the network's depth is twice their sum, and two."""
    width: int = 16
    """Channels of the first stage."""
    stem_stride: int = 1

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights."""
        body: list[nn.Layer] = [convolution(input_shape[0], self.width, 3, stride=self.stem_stride)]
        channels = self.width
        for stage, count in enumerate(self.blocks):
            outputs = self.width * 2**stage
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                body.append(Residual(channels, outputs, stride))
                channels = outputs
        return Classifier(body, channels, (), classes)
