"""What is exported: networks with data that they can learn in a minute.

Every output is read as decisions between classes: one of an image, one of a step of a sequence, one of a
place in a map. What is learned matters little, as long as the network has learned something.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster import debian
from compression_jobs import networks
from compression_jobs.framework import nn
from compression_jobs.networks.mobilenet_v1 import MobileNetV1, Stem
from compression_jobs.networks.mobilenet_v2 import MobileNetV2
from compression_jobs.networks.mobilenet_v3 import Block, MobileNetV3
from compression_jobs.networks.resnet import ResNet
from compression_jobs.networks.transformer import VisionTransformer
from support import difficult, gratings

FASHION_CLASSES = 10
_MEAN, _DEVIATION = 0.286, 0.353


@dataclass(frozen=True)
class Data:
    """Samples to learn from and others to compare on."""

    inputs: NDArray[Any]
    labels: NDArray[np.int64]
    test: NDArray[Any]
    test_labels: NDArray[np.int64]
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.inputs.shape[1:])


@dataclass(frozen=True)
class Subject:
    """A network by name."""

    name: str
    build: Callable[[Data], Any]
    data: Callable[[], Data]


def stripes(count: int = 500, test: int = 400) -> Data:
    """Noisy stripes of 16x16, in four directions."""
    parts: list[Any] = []
    for size, seed in ((count, 1), (test, 2)):
        pixels, labels = gratings.images(size, seed)
        parts += [((pixels[:, np.newaxis] - 120) / 50).astype(np.float32), labels]
    return Data(parts[0], parts[1], parts[2], parts[3], gratings.CLASSES)


def sentences(count: int = 500, test: int = 400, words: int = difficult.WORDS) -> Data:
    """Words at random, of which every third one belongs to the sentence's class."""
    parts: list[Any] = []
    for size, seed in ((count, 1), (test, 2)):
        random = np.random.RandomState(seed)
        labels = random.randint(0, gratings.CLASSES, size)
        tokens = random.randint(0, words, (size, difficult.LENGTH))
        own = tokens // gratings.CLASSES * gratings.CLASSES + labels[:, np.newaxis]
        telling = random.rand(*tokens.shape) < 1 / 3
        parts += [np.where(telling, np.minimum(own, words - 1), tokens).astype(np.int64), labels]
    return Data(parts[0], parts[1], parts[2], parts[3], gratings.CLASSES)


def fashion(count: int = 3000, test: int = 1000) -> Data:
    """Fashion-MNIST (Xiao et al. 2017) as Debian packages it, padded to 32x32."""
    folder = debian.tools(("dataset-fashion-mnist",)).root / "usr/share/datasets/fashion-mnist"
    parts: list[Any] = []
    for prefix, size in (("train", count), ("t10k", test)):
        pixels = _idx(folder / f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:size]
        labels = _idx(folder / f"{prefix}-labels-idx1-ubyte.gz", 8)[:size].astype(np.int64)
        padded = np.pad(pixels, ((0, 0), (2, 2), (2, 2)))[:, np.newaxis]
        parts += [((padded / 255 - _MEAN) / _DEVIATION).astype(np.float32), labels]
    return Data(parts[0], parts[1], parts[2], parts[3], FASHION_CLASSES)


def _idx(path: Path, header: int) -> NDArray[np.uint8]:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def _of(description: Any) -> Callable[[Data], Any]:
    return lambda data: description.build(data.shape, data.classes)


def _named(arch: str) -> Callable[[Data], Any]:
    return lambda data: networks.build(arch, data.shape, data.classes)


def _difficult(kind: Any, *more: Any) -> Callable[[Data], Any]:
    return lambda data: kind(data.shape[0], data.classes, *more)


def _words(data: Data) -> Any:
    kind: Any = difficult.Words
    return kind(data.classes)


_BOTTLENECKS = ((1, 16, 1, 1), (3, 24, 2, 2))
_BLOCKS = (Block(3, 24, 16, squeeze=True, hard_swish=False, stride=2), Block(5, 48, 16, True, True))

SMALL = (
    Subject("depthwise", _of(MobileNetV1((Stem(16),), ((24, 1), (48, 2)), hidden=(64,))), stripes),
    Subject("residual", _of(ResNet((1, 1), width=8, stem_stride=2)), stripes),
    Subject("linear bottleneck", _of(MobileNetV2((16, 2), _BOTTLENECKS, last=64)), stripes),
    Subject("squeeze, hard swish", _of(MobileNetV3((16, 2), _BLOCKS, last=48, hidden=32)), stripes),
    Subject("concatenation", _difficult(difficult.Branches), stripes),
    Subject("transposed convolution", _difficult(difficult.Decoder), stripes),
    Subject("attention", _of(VisionTransformer(32, 2, 2, 4)), stripes),
    Subject("convolution, LSTM", _difficult(difficult.Recogniser, nn.LSTM), stripes),
    Subject("convolution, GRU", _difficult(difficult.Recogniser, nn.GRU), stripes),
    Subject("attention, tokens", _words, sentences),
)
"""One for each difficulty, as small as can show it."""

_ARCHITECTURES = (
    *("mobilenet_v1_x0_5", "mobilenet_v2_x0_5_32", "mobilenet_v3_small_x0_5_32", "resnet18_32_s2"),
    *("vit_w64_p4", "centernet_tiny", "crnn_tiny", "crnn_small", "ctc_conv_tiny", "kws_cnn_tiny"),
)

LARGE = (
    *(Subject(arch, _named(arch), fashion) for arch in _ARCHITECTURES),
    Subject("text_cnn_tiny", _named("text_cnn_tiny"), lambda: sentences(3000, 1000, words=4096)),
    Subject("transposed convolution", _difficult(difficult.Decoder), fashion),
)
"""Networks that people use, on Fashion-MNIST, and sentences."""


def chosen(names: list[str], among: tuple[Subject, ...]) -> Iterator[Subject]:
    """Those of some names, or all; raises ValueError for a name that nobody has."""
    unknown = set(names) - {subject.name for subject in among}
    if unknown:
        raise ValueError(f"no network {min(unknown)!r}; there are {', '.join(s.name for s in among)}")
    return (subject for subject in among if not names or subject.name in names)
