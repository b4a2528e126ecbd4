"""The order in which samples are seen.

Owns shuffling: a function of seed and epoch alone, so that any epoch can be repeated.
"""

from __future__ import annotations

import itertools
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
    def length(self) -> int:
        """Samples of each batch."""
        return min(self.batch_size, len(self.samples))

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

    def since(self, start: int, end: int) -> Iterator[Indices]:
        """Batches from step `start` to before `end`, as an undisturbed training has them."""
        epoch, skipped = divmod(start, self.steps)
        left = end - start
        while left > 0:
            for batch in itertools.islice(self.epoch(epoch), skipped, skipped + left):
                left -= 1
                yield batch
            epoch, skipped = epoch + 1, 0
