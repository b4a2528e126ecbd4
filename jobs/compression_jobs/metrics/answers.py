"""What a classifier said, reduced to what metrics need.

Owns ranks: ties are broken towards the lower class everywhere, so that a model with constant outputs is not
right about everything. Must not know any metric.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier said of n samples; arrays of length n in the same order."""

    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    """The class with the largest output."""
    rank: NDArray[np.int64]
    """How many classes stand before the true one; 0 is right at once."""

    @classmethod
    def of(cls, outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> Answers:
        """The answers in a classifier's outputs [n, classes]."""
        true = np.take_along_axis(outputs, labels[:, None], axis=1)
        before = np.arange(outputs.shape[1]) < labels[:, None]
        rank = np.sum((outputs > true) | ((outputs == true) & before), axis=1)
        return cls(labels, outputs.argmax(axis=1), rank)

    @classmethod
    def joined(cls, parts: Iterable[Answers]) -> Answers:
        """One after the other."""
        all_parts = list(parts)
        return cls(
            np.concatenate([part.labels for part in all_parts]),
            np.concatenate([part.predicted for part in all_parts]),
            np.concatenate([part.rank for part in all_parts]),
        )

    def __len__(self) -> int:
        return len(self.labels)
