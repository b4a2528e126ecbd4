"""Metrics of classifiers: accuracy among the first k, and F1 averaged over classes.

Owns their definitions. Must not know where answers come from; their records are `labels`, `predicted` (the
class with the largest output) and `rank` (how many classes stand before the true one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.base import Counts, OfCounts


@dataclass(frozen=True, slots=True)
class TopK:
    """The true class is among the k largest outputs."""

    k: int

    def correct(self, answers: Answers) -> NDArray[np.bool_]:
        """Whether each sample counts as right."""
        right: NDArray[np.bool_] = answers["rank"] < self.k
        return right


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The mean over classes of F1 = 2 TP / (2 TP + FP + FN); a class that occurs nowhere does not count."""

    def of_counts(self, answers: Answers) -> OfCounts:
        """See Whole.of_counts."""
        labels, predicted = answers["labels"], answers["predicted"]
        classes = int(max(labels.max(), predicted.max())) + 1
        hit = labels == predicted

        def value(counts: Counts) -> float:
            hits = np.bincount(labels[hit], counts[hit], classes)
            # 2 TP + FP + FN is how often the class was true plus how often it was said.
            occurrences = np.bincount(labels, counts, classes) + np.bincount(predicted, counts, classes)
            present = occurrences > 0
            return float(np.mean(2 * hits[present] / occurrences[present]))

        return value
