"""Networks by name.

Owns the registry that `student.arch` is looked up in. Importing it loads Paddle: only the runner does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from compression_jobs.errors import Misconfigured
from compression_jobs.framework import nn
from compression_jobs.networks.centernet import CenterNet
from compression_jobs.networks.keywords import KeywordNetwork
from compression_jobs.networks.mobilenet_v1 import MobileNetV1, Stem
from compression_jobs.networks.mobilenet_v2 import STAGES, MobileNetV2
from compression_jobs.networks.mobilenet_v3 import SMALL, Block, MobileNetV3
from compression_jobs.networks.recognisers import Recogniser
from compression_jobs.networks.resnet import ResNet
from compression_jobs.networks.text import TextNetwork
from compression_jobs.networks.transformer import VisionTransformer

__all__ = ["NETWORKS", "Network", "build", "parameters", "register"]


class Network(Protocol):
    """A description that layers can be built from."""

    def build(self, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
        """The network with fresh weights: images [n, *input_shape] to logits [n, classes]."""
        ...


# The published strides divide an image's size by 32, which leaves nothing of one of 32x32: networks whose
# name ends in _32 keep the full size in one stage more at either end, and divide by 8.
_V2_32: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    *STAGES[4:5],
    (6, 160, 3, 1),
    STAGES[6],
)
_V3_32: Final = (replace(SMALL[0], stride=1), *SMALL[1:8], replace(SMALL[8], stride=1), *SMALL[9:])

NETWORKS: Final[Mapping[str, Network]] = {
    "mobilenet_v1_x1_0": MobileNetV1(),
    "mobilenet_v1_x0_5": MobileNetV1(width=0.5),
    "mobilenet_v1_x0_25": MobileNetV1(width=0.25),
    # For images of 32x32 on one core: two convolutions bring them to 8x8 before the first depthwise one, and
    # nine weights of ten are in the hidden layers, as in MobileNetV3 (Howard et al. 2019, section 5.1).
    "mobilenet_v1_tiny": MobileNetV1(
        stems=(Stem(24, kernel=5), Stem(48)), blocks=((64, 1), (128, 2)), hidden=(1024, 384)
    ),
    "mobilenet_v2_x1_0": MobileNetV2(),
    "mobilenet_v2_x0_5": MobileNetV2(width=0.5),
    "mobilenet_v2_x1_0_32": MobileNetV2(stages=_V2_32),
    "mobilenet_v2_x0_5_32": MobileNetV2(stages=_V2_32, width=0.5),
    "mobilenet_v2_tiny": MobileNetV2((16, 2), ((1, 16, 1, 1), (4, 24, 2, 2), (4, 32, 2, 2)), last=128),
    "mobilenet_v3_small_x1_0": MobileNetV3(),
    "mobilenet_v3_small_x0_5": MobileNetV3(width=0.5),
    "mobilenet_v3_small_x1_0_32": MobileNetV3(blocks=_V3_32),
    "mobilenet_v3_small_x0_5_32": MobileNetV3(blocks=_V3_32, width=0.5),
    "mobilenet_v3_tiny": MobileNetV3(
        blocks=(
            Block(3, 32, 24, squeeze=False, hard_swish=False, stride=2),
            Block(5, 96, 32, squeeze=True, hard_swish=True, stride=2),
            Block(5, 128, 32, squeeze=True, hard_swish=True),
        ),
        last=96,
        hidden=128,
    ),
    "resnet8": ResNet(),
    "resnet8_w32": ResNet(width=32),
    "resnet8_s2": ResNet(stem_stride=2),
    "resnet14": ResNet((2, 2, 2)),
    "resnet20": ResNet((3, 3, 3)),
    "resnet18": ResNet((2, 2, 2, 2), width=64, stem_kernel=7, stem_stride=2, stem_pooling=True),
    "resnet18_32": ResNet((2, 2, 2, 2), width=64),
    "resnet18_32_s2": ResNet((2, 2, 2, 2), width=64, stem_stride=2),
    "resnet20_w64": ResNet((3, 3, 3), width=64),
    "vit_w64_p4": VisionTransformer(),
    "centernet_tiny": CenterNet(),
    "centernet_small": CenterNet(stem=24, stages=(48, 96)),
    "crnn_tiny": Recogniser(sequence="GRU"),
    "crnn_small": Recogniser((32, 64, 96, 128), sequence="LSTM", features=96),
    "ctc_conv_tiny": Recogniser(),
    "ctc_conv_small": Recogniser((32, 64, 96, 128), features=128),
    "kws_cnn_tiny": KeywordNetwork(width=64),
    "kws_cnn_small": KeywordNetwork(width=128, blocks=5),
    "text_cnn_tiny": TextNetwork(),
    "text_cnn_small": TextNetwork(vectors=96, channels=(128, 128, 128)),
}


_ADDED: dict[str, Network] = {}


def register(name: str, network: Network) -> None:
    """Let a name mean an author's own network in this process; ours keep their meaning."""
    _ADDED[name] = network


def build(arch: str, input_shape: tuple[int, ...], classes: int) -> nn.Layer:
    """A network with fresh weights.

    Raises:
        Misconfigured: ArchitectureUnknown.
    """
    known = {**_ADDED, **NETWORKS}
    if arch not in known:
        raise Misconfigured(
            "ArchitectureUnknown",
            f"This image has no architecture {arch!r}; set student.arch to one of {', '.join(known)}.",
        )
    return known[arch].build(input_shape, classes)


def parameters(network: Any) -> int:
    """Number of weights, running statistics not counted."""
    return sum(math.prod(tensor.shape) for tensor in network.parameters() if not tensor.stop_gradient)
