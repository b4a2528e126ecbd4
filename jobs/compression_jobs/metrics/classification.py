"""Metrics of classifiers: accuracy among the first k, and F1 averaged over classes.

Owns their definitions. Must not know where answers come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compression_jobs.metrics.answers import Answers


@dataclass(frozen=True, slots=True)
class TopK:
    """The true class is among the k largest outputs."""

    k: int

    def correct(self, answers: Answers) -> NDArray[np.bool_]:
        """Whether each sample counts as right."""
        return answers.rank < self.k


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The mean over classes of F1 = 2 TP / (2 TP + FP + FN); a class that occurs nowhere does not count."""

    def value(
        self, labels: NDArray[np.int64], predicted: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> float:
        """F1 where sample i occurs `counts[i]` times."""
        classes = int(max(labels.max(), predicted.max())) + 1
        hits = np.bincount(labels[labels == predicted], counts[labels == predicted], classes)
        # 2 TP + FP + FN is how often the class was true plus how often it was said.
        occurrences = np.bincount(labels, counts, classes) + np.bincount(predicted, counts, classes)
        present = occurrences > 0
        return float(np.mean(2 * hits[present] / occurrences[present]))
