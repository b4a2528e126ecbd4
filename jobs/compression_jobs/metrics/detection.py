"""Mean average precision of detectors, as COCO defines it.

Owns precision and recall over the records of `coco.matched`, where image i may occur any number of times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.metrics import coco
from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.base import Counts, OfCounts

RECALLS: Final = np.linspace(0, 1, 101)
"""Where COCO reads the precision."""


@dataclass(frozen=True, slots=True)
class MeanAveragePrecision:
    """The mean of interpolated precision over recalls, overlap thresholds and classes that have objects."""

    thresholds: tuple[float, ...]
    """Members of coco.THRESHOLDS."""

    def of_counts(self, answers: Answers) -> OfCounts:
        """See Whole.of_counts."""
        objects = answers["objects"].astype(np.int64)
        bits = [coco.THRESHOLDS.index(threshold) for threshold in self.thresholds]
        rankings = [_Ranking.of(answers, label, bits) for label in range(objects.shape[1])]

        def value(counts: Counts) -> float:
            present = counts @ objects
            found = [
                rankings[label].precision(counts, int(present[label])) for label in np.flatnonzero(present)
            ]
            return float(np.mean(found)) if found else float("nan")

        return value


@dataclass(frozen=True, slots=True)
class _Ranking:
    """The detections of one class in all images, the most confident first."""

    images: NDArray[np.int64]
    right: tuple[NDArray[np.int64], ...]
    """For each threshold, the places of those that are right."""

    @classmethod
    def of(cls, answers: Answers, label: int, bits: list[int]) -> _Ranking:
        images, places = np.nonzero(answers["classes"] == label)
        order = np.argsort(-answers["scores"][images, places], kind="mergesort")
        hits = answers["hits"][images, places][order]
        return cls(images[order], tuple(np.flatnonzero(hits >> bit & 1) for bit in bits))

    def precision(self, counts: Counts, objects: int) -> float:
        """Averaged over thresholds and recalls.

        Only right detections can be where precision is highest from a recall on, so only they are looked at.
        """
        drawn = counts[self.images]
        said = np.cumsum(drawn)
        total = 0.0
        for right in self.right:
            found = np.cumsum(drawn[right])
            precision = found / np.maximum(said[right], 1)
            highest = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
            total += float(highest[np.searchsorted(found / objects, RECALLS, side="left")].mean())
        return total / len(self.right)
