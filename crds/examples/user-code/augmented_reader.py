"""A reader of your own: the training split with random flips, everything else as it is.

It serves the splits that train and calibrate. The test split is always read by the reader that the dataset's
manifest names, because the evaluator runs no code but the platform's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Split:
    """Sample i is `inputs([i])[0]`, its class `labels[i]`."""

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], facts: dict, augment: bool
    ) -> None:
        self.images, self.labels, self._augment = images, labels, augment
        self._mean = np.asarray(facts["mean"], np.float32).reshape(-1, 1, 1)
        self._std = np.asarray(facts["std"], np.float32).reshape(-1, 1, 1)

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [len(indices), channels, height, width].

        Draw random numbers from `np.random` or `random` as you like: both are seeded before each call by the
        step, so that a training that was interrupted goes on with the very same samples.
        """
        images = (self.images[indices].astype(np.float32) / 255 - self._mean) / self._std
        if self._augment:
            flipped = np.random.rand(len(images)) < 0.5
            images[flipped] = images[flipped, :, :, ::-1]
        return images


class AugmentedReader:
    """The entry point `reader`; it is made without arguments."""

    def read(self, folder: Path, facts: dict, split: str) -> Split:
        """Open a split.

        Args:
            folder: the dataset's files.
            facts: of its manifest: inputShape, numClasses, splits with their sizes, mean, std.
            split: one of `facts["splits"]`.
        """
        with np.load(folder / f"{split}.npz", allow_pickle=False) as arrays:
            return Split(arrays["images"], arrays["labels"], facts, augment=split == "train")
