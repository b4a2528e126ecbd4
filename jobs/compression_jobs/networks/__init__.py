"""Networks by name.

Owns the registry that `student.arch` is looked up in. Importing it loads Paddle: only the runner does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Protocol

from compression_jobs.errors import Misconfigured
from compression_jobs.framework import nn
from compression_jobs.networks.mobilenet_v1 import MobileNetV1, Stem
from compression_jobs.networks.resnet import ResNet

__all__ = ["NETWORKS", "Network", "build", "parameters"]


class Network(Protocol):
    """A description that layers can be built from."""

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights: images [n, *input_shape] to logits [n, classes]."""
        ...


NETWORKS: Final[Mapping[str, Network]] = {
    "mobilenet_v1_x1_0": MobileNetV1(),
    "mobilenet_v1_x0_5": MobileNetV1(width=0.5),
    "mobilenet_v1_x0_25": MobileNetV1(width=0.25),
    # For images of 32x32 on one core: two convolutions bring them to 8x8 before the first depthwise one, and
    # nine weights of ten are in the hidden layers, as in MobileNetV3 (Howard et al. 2019, section 5.1).
    "mobilenet_v1_tiny": MobileNetV1(
        stems=(Stem(24, kernel=5), Stem(48)), blocks=((64, 1), (128, 2)), hidden=(1024, 384)
    ),
    "resnet8": ResNet(),
    "resnet8_w32": ResNet(width=32),
    "resnet8_s2": ResNet(stem_stride=2),
    "resnet14": ResNet((2, 2, 2)),
    "resnet20": ResNet((3, 3, 3)),
    "resnet20_w64": ResNet((3, 3, 3), width=64),
}


def build(arch: str, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
    """A network with fresh weights.

    Raises:
        Misconfigured: ArchitectureUnknown.
    """
    if arch not in NETWORKS:
        raise Misconfigured(
            "ArchitectureUnknown",
            f"This image has no architecture {arch!r}; set student.arch to one of {', '.join(NETWORKS)}.",
        )
    return NETWORKS[arch].build(input_shape, classes)


def parameters(network: Any) -> int:
    """Number of weights, running statistics not counted."""
    return sum(math.prod(tensor.shape) for tensor in network.parameters() if not tensor.stop_gradient)
