"""Metrics of recognised text.

Owns their definitions. Must not know where answers come from; their records are `edits` (the least number of
symbols to insert, delete or replace) and `length` (symbols that were there to read).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.base import Counts, OfCounts


@dataclass(frozen=True, slots=True)
class CharacterErrorRate:
    """Edits in all samples by symbols in all samples; lower is better.

    More edits than symbols count as 1: a model that reads much where there is little is of no use either
    way, and the metric stays a fraction.
    """

    def of_counts(self, answers: Answers) -> OfCounts:
        """See Whole.of_counts."""
        edits, length = answers["edits"].astype(np.int64), answers["length"].astype(np.int64)

        def value(counts: Counts) -> float:
            symbols = int(counts @ length)
            return min(1.0, int(counts @ edits) / symbols) if symbols else float("nan")

        return value


@dataclass(frozen=True, slots=True)
class ExactMatch:
    """The whole text is right."""

    def correct(self, answers: Answers) -> NDArray[np.bool_]:
        """Whether each sample counts as right."""
        right: NDArray[np.bool_] = answers["edits"] == 0
        return right
