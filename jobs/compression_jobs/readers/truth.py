"""What is to be found in samples: classes, boxes, symbols.

Owns their arrays and the choice of some samples. Must not know files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidInput
from compression_jobs.readers.base import Indices, Targets
from compression_jobs.readers.problems import Unusable
from compression_jobs.readers.ragged import Rows


class Known(Protocol):
    """What is known of the samples of a split."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """See Split.labels."""
        ...

    def targets(self, indices: Indices) -> Targets:
        """See Split.targets."""
        ...


@dataclass(frozen=True, slots=True)
class Labels:
    """One class a sample."""

    labels: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[int]) -> Labels:
        """From one number a sample."""
        return cls(np.asarray(rows, np.int64))

    def targets(self, indices: Indices) -> Targets:
        """See Split.targets."""
        return {"labels": self.labels[indices]}


@dataclass(frozen=True, slots=True)
class Boxes:
    """Any number of boxes a sample, each of a class."""

    rows: Rows
    """float32 [m, 5]: left, top, right, bottom, class."""

    @classmethod
    def of(cls, rows: Sequence[NDArray[np.float32]]) -> Boxes:
        """From arrays float32 [boxes, 5]."""
        return cls(Rows.of(rows, np.zeros((0, 5), np.float32)))

    @property
    def labels(self) -> NDArray[np.int64]:
        """See Split.labels."""
        _no_labels("boxes")

    def targets(self, indices: Indices) -> Targets:
        """See Split.targets."""
        found = self.rows.take(indices)
        return {
            "boxes": np.ascontiguousarray(found.values[:, :4]),
            "classes": found.values[:, 4].astype(np.int64),
            "offsets": found.offsets,
        }


@dataclass(frozen=True, slots=True)
class Symbols:
    """A row of symbols a sample."""

    rows: Rows

    @classmethod
    def of(cls, rows: Sequence[NDArray[np.int64]]) -> Symbols:
        """From arrays of numbers from 1."""
        return cls(Rows.of(rows, np.zeros(0, np.int64)))

    @property
    def labels(self) -> NDArray[np.int64]:
        """See Split.labels."""
        _no_labels("texts")

    def targets(self, indices: Indices) -> Targets:
        """See Split.targets."""
        found = self.rows.take(indices)
        return {"symbols": found.values, "offsets": found.offsets}


def numbers(alphabet: Sequence[str]) -> dict[str, int]:
    """Symbols to their numbers, from 1; 0 is the blank."""
    return {symbol: number for number, symbol in enumerate(alphabet, start=1)}


def spelled(text: str, known: Mapping[str, int]) -> NDArray[np.int64]:
    """The numbers of a text's symbols.

    Raises:
        Unusable: the text is empty, or has a symbol that the alphabet lacks.
    """
    strange = [symbol for symbol in text if symbol not in known]
    if strange:
        raise Unusable(f"its text has {strange[0]!r}, which the alphabet lacks")
    if not text:
        raise Unusable("its text is empty")
    return np.asarray([known[symbol] for symbol in text], np.int64)


def _no_labels(what: str) -> NoReturn:
    raise InvalidInput(
        "TaskMismatch", f"The samples of this dataset have {what}, no class each; correct spec.task."
    )
