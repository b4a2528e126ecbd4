"""Which filters a network can spare, judged by its weights alone.

Owns the criteria as formulas on arrays. Must not know layers or networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Criterion = Callable[[Floats], NDArray[np.float64]]


def l1_norm(filters: Floats) -> NDArray[np.float64]:
    """The sum of each filter's absolute weights (Li et al. 2017, Pruning Filters for Efficient ConvNets).

    Args:
        filters: [count, ...].

    Returns:
        [count]; the smallest are the least important.
    """
    sums: NDArray[np.float64] = np.abs(filters.astype(np.float64)).reshape(len(filters), -1).sum(axis=1)
    return sums


def geometric_median_distance(filters: Floats) -> NDArray[np.float64]:
    """Each filter's summed distance to all others (He et al. 2019, FPGM, equation 8).

    The filters with the smallest sum are those nearest the geometric median of all: the others can take their
    place.

    Args:
        filters: [count, ...].

    Returns:
        [count]; the smallest are the most replaceable.
    """
    rows = filters.astype(np.float64).reshape(len(filters), -1)
    squares = np.square(rows).sum(axis=1)
    distances = squares[:, np.newaxis] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distances, 0.0)
    sums: NDArray[np.float64] = np.sqrt(np.maximum(distances, 0.0)).sum(axis=1)
    return sums


CRITERIA: Final[Mapping[str, Criterion]] = {"L1Norm": l1_norm, "FPGM": geometric_median_distance}


def kept(filters: Sequence[Floats], criterion: Criterion, ratio: float) -> NDArray[np.int64]:
    """The channels that stay, in order.

    Channels that several layers make, as those of a residual path, are judged by all of them: each layer's
    scores count in units of their mean, as layers have weights of different sizes.

    Args:
        filters: of each layer that makes the channels, [count, ...].
        criterion: the judge.
        ratio: share of the channels that goes, 0 up to below 1; at least one channel stays.
    """
    scores = np.zeros(len(filters[0]))
    for layer in filters:
        score = criterion(layer)
        scores += score / max(float(score.mean()), 1e-30)
    staying = max(1, len(scores) - round(len(scores) * ratio))
    # A stable order: of two equal channels the first stays.
    return np.sort(np.argsort(-scores, kind="stable")[:staying]).astype(np.int64)
