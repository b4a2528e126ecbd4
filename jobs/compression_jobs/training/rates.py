"""The learning rate over a training.

Owns the schedule: it rises over the first twentieth of the steps and falls along a cosine to nothing at the
end (Loshchilov and Hutter 2017), so that short trainings end as settled as long ones.
"""

from __future__ import annotations

import math
from typing import Final

WARMUP_SHARE: Final = 0.05


def rate_factor(step: int, steps: int) -> float:
    """The share of the full learning rate at a step of a training, more than 0 and at most 1."""
    warmup = max(1, round(steps * WARMUP_SHARE))
    if step < warmup:
        return (step + 1) / warmup
    falling = (step - warmup) / (steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * falling))
