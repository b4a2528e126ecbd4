"""Confidence intervals of metrics that are no proportions.

Owns the percentile bootstrap (Efron & Tibshirani 1993, chapter 13). Must not know any metric.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from compression_contract.results import RESAMPLING_CONFIDENCE
from compression_jobs.metrics.base import OfCounts

RESAMPLES: Final = 1000


def interval(value: OfCounts, samples: int, seed: int) -> tuple[float, float]:
    """The interval that holds the middle 95 % of the metric's values on resampled data.

    Args:
        value: the metric where sample i occurs so many times. Two models are compared by the difference of
            theirs: the same draw counts for both.
        samples: how many there are.
        seed: of the resampling, so that the same data give the same interval.

    Returns:
        Its ends. Resamples on which the metric is not defined do not count: an interval given that it is.
    """
    generator = np.random.default_rng(seed)
    values = np.empty(RESAMPLES)
    for resample in range(RESAMPLES):
        values[resample] = value(
            np.bincount(generator.integers(0, samples, samples), minlength=samples).astype(np.int64)
        )
    tail = (1 - RESAMPLING_CONFIDENCE) / 2
    low, high = np.quantile(values[np.isfinite(values)], [tail, 1 - tail])
    return float(low), float(high)
