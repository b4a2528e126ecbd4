"""Calibration data, a batch at a time.

Owns how many batches there are and in what order: any number of passes gives the same ones, and no more than
one is in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import Calibration
from compression_jobs.errors import InvalidData
from compression_jobs.readers import Split
from compression_jobs.training.data import Part, evenly

USUAL: Final = Calibration(batches=16, batch_size=32)
"""What grids that are learned begin at."""
MAX_EDGE_SAMPLES: Final = 512
"""What the exporter measures of tensors that no layer has a grid for."""

log = logging.getLogger(__name__)


class BatchSource(Protocol):
    """Batches by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class Batches:
    """Batches of one length; they are read anew in each pass."""

    part: Part
    size: int
    count: int

    @property
    def samples(self) -> int:
        """Samples of all batches together."""
        return self.size * self.count

    @property
    def split(self) -> Split:
        """Where they come from."""
        return self.part.split

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> NDArray[Any]:
        if not 0 <= place < self.count:
            raise IndexError(place)
        return self.split.inputs(self.part.samples[self.size * place : self.size * (place + 1)])

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[place] for place in range(self.count))

    def first(self, samples: int) -> NDArray[Any]:
        """The first so many samples as one array."""
        return self.split.inputs(self.part.samples[: min(samples, self.samples)])


def batches(part: Part, given: Calibration, spread: bool = False) -> Batches:
    """The batches of a calibration part; fewer than were asked for where the data ends before.

    Args:
        part: the samples that may be used.
        given: how many are wanted.
        spread: take them evenly from all of the part, not its first ones.

    Raises:
        InvalidData: CalibrationEmpty.
    """
    if not len(part.samples):
        raise InvalidData(
            "CalibrationEmpty", "The calibration split has no usable sample; correct spec.dataset.splits."
        )
    size = min(given.batch_size, len(part.samples))
    count = min(given.batches, len(part.samples) // size)
    if count < given.batches and not spread:
        told = {"wanted": given.batches, "batches": count, "batchSize": size}
        log.warning("the calibration split is smaller than asked for", extra={"fields": told})
    chosen = part.samples[evenly(len(part.samples), size * count)] if spread else part.samples
    return Batches(Part(part.split, np.asarray(chosen)), size, count)
