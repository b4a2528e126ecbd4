"""Spoken words from log-mel features: the depthwise separable network of Zhang et al. 2017 (DS-CNN).

Owns how a description becomes layers. Must not know names; those are in the registry.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_jobs.framework import nn
from compression_jobs.networks.blocks import Classifier, DepthwiseSeparable, convolution


@dataclass(frozen=True, slots=True)
class KeywordNetwork:
    """One wide kernel over bands and time, then separable blocks of equal width."""

    width: int = 32
    blocks: int = 3
    stem: int = 5
    """Side of the first kernel."""

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights: features [n, 1, bands, frames] to logits [n, classes]."""
        body: list[nn.Layer] = [convolution(input_shape[0], self.width, self.stem, stride=2)]
        body += [
            DepthwiseSeparable(self.width, self.width, 2 if block == 0 else 1) for block in range(self.blocks)
        ]
        return Classifier(body, self.width, (), classes)
