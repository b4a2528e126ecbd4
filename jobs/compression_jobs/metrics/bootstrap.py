"""Confidence intervals of metrics that are no proportions.

Owns the percentile bootstrap (Efron & Tibshirani 1993, chapter 13). Must not know any metric.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
CONFIDENCE: Final = 0.95


def interval(
    value: Callable[[NDArray[np.int64]], float], counts: NDArray[np.int64], seed: int
) -> tuple[float, float]:
    """The interval that holds the middle 95 % of the metric's values on resampled data.

    Args:
        value: the metric where cell i occurs so many times.
        counts: how often each distinct sample occurs. Drawing n samples with replacement is one multinomial
            draw over the cells, which costs the number of cells instead of n.
        seed: of the resampling, so that the same data give the same interval.
    """
    generator = np.random.default_rng(seed)
    total = int(counts.sum())
    shares = counts / total
    values = [value(generator.multinomial(total, shares)) for _ in range(RESAMPLES)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
