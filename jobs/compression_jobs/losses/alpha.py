"""How much the teachers' word weighs over the course of training.

Owns the schedule and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compression_contract.methods import AlphaPoint


def alpha_at(points: Sequence[AlphaPoint], progress: float) -> float:
    """The weight of the distillation loss: linear between points, constant before and after them.

    Args:
        points: at least one, `at` rising.
        progress: share of training that is done, 0..1.
    """
    return float(np.interp(progress, [point.at for point in points], [point.value for point in points]))
