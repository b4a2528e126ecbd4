"""ResNet of basic blocks (He et al. 2016) by shape, for small images and for ImageNet's.

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
    stem_kernel: int = 3
    """3 for small images (section 4.2 of the paper), 7 for ImageNet's (table 1)."""
    stem_stride: int = 1
    stem_pooling: bool = False
    """The 3x3 maximum at stride 2 that follows ImageNet's stem."""

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights."""
        stem = convolution(input_shape[0], self.width, self.stem_kernel, stride=self.stem_stride)
        body: list[nn.Layer] = [stem]
        if self.stem_pooling:
            body.append(nn.MaxPool2D(3, stride=2, padding=1))
        channels = self.width
        for stage, count in enumerate(self.blocks):
            outputs = self.width * 2**stage
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                body.append(Residual(channels, outputs, stride))
                channels = outputs
        return Classifier(body, channels, (), classes)
