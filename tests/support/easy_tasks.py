"""Data that a small network learns in a few seconds, one kind for each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_jobs.readers.ragged import Rows

CLASSES = 3
SIDE = 32
GLYPH = 8
WORDS = 30
LENGTH = 12


@dataclass(frozen=True)
class Samples:
    """A split in memory."""

    inputs_: NDArray[Any]
    truth: dict[str, Any]
    """Arrays, or rows of different length, by the name of the target."""

    bad: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs_)

    @property
    def labels(self) -> NDArray[np.int64]:
        labels: NDArray[np.int64] = self.truth["labels"]
        return labels

    def inputs(self, indices: Any) -> NDArray[Any]:
        chosen: NDArray[Any] = self.inputs_[indices]
        return chosen

    def targets(self, indices: Any) -> dict[str, Any]:
        targets: dict[str, Any] = {}
        for name, values in self.truth.items():
            if isinstance(values, Rows):
                chosen = values.take(indices)
                targets |= {name: chosen.values, "offsets": chosen.offsets}
            else:
                targets[name] = values[indices]
        return targets


def squares(count: int, seed: int) -> Samples:
    """Images 32x32 with one to three squares; the class is their brightness."""
    random = np.random.default_rng(seed)
    images = random.normal(0, 0.1, (count, 1, SIDE, SIDE)).astype(np.float32)
    boxes, classes = [], []
    for image in images[:, 0]:
        places = random.permutation(4)[: random.integers(1, 4)]
        size = random.integers(6, 13, len(places))
        corner = np.stack([places % 2, places // 2], 1) * (SIDE // 2) + random.integers(
            0, 4, (len(places), 2)
        )
        label = random.integers(0, CLASSES, len(places))
        for (left, top), side, bright in zip(corner, size, label, strict=True):
            image[top : top + side, left : left + side] += bright + 1
        boxes.append(np.concatenate([corner, corner + size[:, None]], axis=1).astype(np.float32))
        classes.append(label)
    return Samples(
        images,
        {
            "boxes": Rows.of(boxes, np.zeros((0, 4), np.float32)),
            "classes": Rows.of(classes, np.zeros(0, np.int64)),
        },
    )


def lines(count: int, seed: int) -> Samples:
    """Images 16x64 with two to four glyphs of three kinds: bars across, bars down, a block."""
    random = np.random.default_rng(seed)
    across, down = np.zeros((2, GLYPH, GLYPH), np.float32)
    across[::3], down[:, ::3] = 1, 1
    glyphs = np.stack([across, down, np.ones((GLYPH, GLYPH), np.float32)])
    images = random.normal(0, 0.1, (count, 1, 16, 64)).astype(np.float32)
    symbols = []
    for image in images[:, 0]:
        row = random.integers(0, len(glyphs), random.integers(2, 5))
        for place, which in enumerate(row):
            top, left = random.integers(0, 16 - GLYPH), place * 16 + random.integers(0, 6)
            image[top : top + GLYPH, left : left + GLYPH] += glyphs[which]
        symbols.append(row + 1)
    return Samples(images, {"symbols": Rows.of(symbols, np.zeros(0, np.int64))})


def sentences(count: int, seed: int) -> Samples:
    """Twelve tokens of thirty; the class is whose own words occur."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    tokens = random.integers(2 + 3 * CLASSES, WORDS, (count, LENGTH))
    own = 2 + 3 * labels[:, None] + random.integers(0, 3, (count, 2))
    np.put_along_axis(tokens, random.permuted(np.tile(np.arange(LENGTH), (count, 1)), axis=1)[:, :2], own, 1)
    return Samples(tokens.astype(np.int64), {"labels": labels.astype(np.int64)})


def sounds(count: int, seed: int) -> Samples:
    """Features 16x24 in which one band sounds for a while; the class is the band."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    features = random.normal(0, 0.5, (count, 1, 16, 24)).astype(np.float32)
    for image, label in zip(features[:, 0], labels, strict=True):
        begin = random.integers(0, 12)
        image[3 + 5 * label, begin : begin + 10] += 2
    return Samples(features, {"labels": labels.astype(np.int64)})
