"""Rows of different length, one behind the other.

Owns their offsets. Must not know what a row holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_jobs.readers.base import Indices


@dataclass(frozen=True, slots=True)
class Rows:
    """Values of n rows; those of row i are `values[offsets[i]:offsets[i + 1]]`."""

    values: NDArray[Any]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[NDArray[Any]], empty: NDArray[Any]) -> Rows:
        """Join rows.

        Args:
            rows: one array each.
            empty: a row without values, for shape and type where there are no rows.
        """
        values = np.concatenate([empty, *rows]) if rows else empty
        lengths = np.asarray([len(row) for row in rows], np.int64)
        return cls(values, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, indices: Indices) -> Rows:
        """Some rows, in this order."""
        chosen = np.asarray(indices, np.int64)
        lengths = (self.offsets[1:] - self.offsets[:-1])[chosen]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        positions = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], lengths)
        return Rows(self.values[positions], offsets)
