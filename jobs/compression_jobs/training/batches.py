"""The order in which samples are seen.

Owns shuffling: a function of seed and epoch alone, so that any epoch can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compression_jobs.readers import Indices


@dataclass(frozen=True, slots=True)
class Batches:
    """Samples in batches of equal size; what does not fill the last one is left out of that epoch.

    Batch normalisation of a remainder of one or two samples would be noise.
    """

    samples: Indices
    batch_size: int
    seed: int

    @property
    def steps(self) -> int:
        """Batches of an epoch, at least one."""
        return max(1, len(self.samples) // self.batch_size)

    def epoch(self, number: int) -> Iterator[Indices]:
        """The batches of an epoch, in its own order."""
        # Of the kind of streams that NumPy promises never to change (NEP 19).
        order = np.random.RandomState([self.seed % 2**32, number]).permutation(self.samples)
        for step in range(self.steps):
            yield order[step * self.batch_size : (step + 1) * self.batch_size]
