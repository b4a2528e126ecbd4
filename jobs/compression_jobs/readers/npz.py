"""Datasets of images as `<split>.npz`: `images` uint8 and `labels` int64.

Owns that format: reading it with every size checked, and writing it. Pixels stay bytes until a batch asks for
them: 60,000 images of 32x32 take 61 MB, as float32 they would take 246 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs import arrays
from compression_jobs.errors import InvalidData
from compression_jobs.readers.base import BadRecord, DatasetFacts, Indices, SplitFiles, Targets

MAX_SPLIT_BYTES: Final = 8 << 30


@dataclass(frozen=True, slots=True)
class ImageSplit:
    """Images as bytes, normalised when they are asked for."""

    images: NDArray[np.uint8]
    """[n, channels, height, width]."""
    labels: NDArray[np.int64]
    mean: NDArray[np.float32]
    """[channels, 1, 1], in units of a byte, as `std` is."""
    std: NDArray[np.float32]
    bad: tuple[BadRecord, ...] = ()
    """Always empty: an array is right as a whole or wrong as a whole."""

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, indices: Indices) -> NDArray[np.float32]:
        """See Split.inputs."""
        pixels = self.images[indices].astype(np.float32)
        pixels -= self.mean
        pixels /= self.std
        return pixels

    def targets(self, indices: Indices) -> Targets:
        """See Split.targets."""
        return {"labels": self.labels[indices]}


class NPZReader:
    """See the module."""

    def files(self, split: str) -> SplitFiles:
        """See Reader.files."""
        return SplitFiles((f"{split}.npz",))

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> ImageSplit:
        """See Reader.read."""
        path = folder / f"{split}.npz"
        content = arrays.load(path, ("images", "labels"), MAX_SPLIT_BYTES)
        images, labels = content["images"], content["labels"]
        if images.ndim == 3 and facts.input_shape[0] == 1:
            images = images[:, np.newaxis]
        wanted = (facts.splits.get(split, 0), *facts.input_shape)
        if images.dtype != np.uint8 or images.shape != wanted:
            raise _invalid(path, f"images are {images.dtype} {images.shape}, should be uint8 {wanted}")
        if labels.dtype.kind not in "iu" or labels.shape != wanted[:1]:
            raise _invalid(path, f"labels are {labels.dtype} {labels.shape}, should be integers {wanted[:1]}")
        if labels.min() < 0 or labels.max() >= facts.num_classes:
            raise _invalid(
                path,
                f"labels go from {labels.min()} to {labels.max()}, classes from 0 to {facts.num_classes - 1}",
            )
        return ImageSplit(images, labels.astype(np.int64), _per_channel(facts.mean), _per_channel(facts.std))


def write(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Write a split; the same samples give the same bytes."""
    arrays.save(path, {"images": images, "labels": labels})


def _per_channel(values: tuple[float, ...]) -> NDArray[np.float32]:
    return (np.asarray(values, np.float32) * np.float32(255))[:, np.newaxis, np.newaxis]


def _invalid(path: Path, why: str) -> InvalidData:
    return InvalidData(
        "DatasetInvalid", f"{path.name} of the dataset does not hold what its manifest says: {why}."
    )
