"""Which samples train, and which only calibrate.

Owns the carving of a calibration part out of the training split, for datasets that have none of their own.
Every stage of a run asks here, so that no sample that sets an activation range was ever trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from compression_jobs.readers.base import Indices

SHARE: Final = 0.1
LARGEST: Final = 16_000
"""500 batches of 32, the most that a calibration may ask for in the usual batch size."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Indices into the training split, each sorted; together they are all of it."""

    training: Indices
    calibration: Indices


def carve(samples: int, seed: int) -> Parts:
    """Divide a training split, the same way for the same arguments.

    Args:
        samples: size of the training split, at least 2.
        seed: of the dataset; another seed divides differently.
    """
    if samples < 2:
        raise ValueError("a training split of one sample cannot be divided")
    reserved = min(max(1, round(samples * SHARE)), LARGEST)
    # A stream of its own, and of the kind that NumPy promises never to change (NEP 19): runs of different
    # images must agree on the division.
    order = np.random.RandomState([seed & 0xFFFFFFFF, seed >> 32, 0xCA11B]).permutation(samples)
    return Parts(
        training=np.sort(order[reserved:]).astype(np.int64),
        calibration=np.sort(order[:reserved]).astype(np.int64),
    )
