"""Records that are decoded one by one, and what is left out because it cannot be.

Owns the first look at every record of a split (each is decoded once, so that the number of samples is known
before the first step), keeping small splits decoded, and the split made of them. Must not know any format.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.readers.base import BadRecord, DatasetFacts, Indices, Inputs, Targets
from compression_jobs.readers.problems import Unusable
from compression_jobs.readers.truth import Known

KEPT_BYTES: Final = 256 << 20
"""A split that takes no more than this when it is decoded is decoded only once."""
_THREADS: Final = min(4, os.cpu_count() or 1)
_WINDOW: Final = 256
"""Records in work at a time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as its list names it."""

    name: str
    truth: Any = None
    """What is to be found in it."""
    problem: str = ""
    """Why the list's own words about it make no sense; empty where they do."""


def entry(name: str, truth: Callable[[], Any]) -> Entry:
    """A record with what `truth` returns, or with why it raises Unusable."""
    try:
        return Entry(name, truth())
    except Unusable as error:
        return Entry(name, problem=str(error))


Decode = Callable[[str], NDArray[Any]]
"""One record's sample by name, without normalisation; raises Unusable."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Samples less `mean`, divided by `std`; both broadcast over a sample."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    @classmethod
    def of(cls, facts: DatasetFacts, unit: float) -> Scale:
        """The facts' numbers, which are given for values divided by `unit`."""
        axes = (len(facts.mean), *[1] * (len(facts.input_shape) - 1))
        mean, std = (
            (np.asarray(values, np.float32) * np.float32(unit)).reshape(axes)
            for values in (facts.mean, facts.std)
        )
        return cls(mean, std)


class RecordSplit:
    """A split whose samples are decoded when they are asked for, unless they are kept."""

    def __init__(
        self,
        entries: Sequence[Entry],
        decode: Decode,
        known: Callable[[Sequence[Any]], Known],
        scale: Scale,
    ) -> None:
        self._decode, self._scale = decode, scale
        usable = [record for record in entries if not record.problem]
        problems, self._kept = _look(usable, decode)
        bad = [BadRecord(record.name, record.problem) for record in entries if record.problem]
        good = [record for record in usable if record.name not in problems]
        self.bad = (*bad, *(BadRecord(name, why) for name, why in problems.items()))
        self._names = [record.name for record in good]
        self._known = known([record.truth for record in good])

    @property
    def labels(self) -> NDArray[np.int64]:
        """See Split.labels."""
        return self._known.labels

    def __len__(self) -> int:
        return len(self._names)

    def inputs(self, indices: Indices) -> Inputs:
        """See Split.inputs."""
        if self._kept is not None:
            raw = self._kept[indices]
        else:
            raw = np.stack([self._again(self._names[index]) for index in np.asarray(indices)])
        samples = raw.astype(np.float32)
        samples -= self._scale.mean
        samples /= self._scale.std
        return samples

    def targets(self, indices: Indices) -> Targets:
        """See Split.targets."""
        return self._known.targets(indices)

    def _again(self, name: str) -> NDArray[Any]:
        try:
            return self._decode(name)
        except Unusable as error:
            raise InvalidData(
                "DatasetInvalid", f"Record {name} could be decoded once and cannot be now: {error}."
            ) from error


def _look(entries: Sequence[Entry], decode: Decode) -> tuple[dict[str, str], NDArray[Any] | None]:
    """Decode every record once: why some cannot be, and the others themselves where they are small."""
    problems: dict[str, str] = {}
    kept: NDArray[Any] | None = None
    count = 0
    for record, found in _decoded(entries, decode):
        if isinstance(found, str):
            problems[record.name] = found
            continue
        if count == 0 and found.nbytes * len(entries) <= KEPT_BYTES:
            kept = np.empty((len(entries), *found.shape), found.dtype)
        if kept is not None:
            kept[count] = found
        count += 1
    return problems, None if kept is None else kept[:count]


def _decoded(entries: Sequence[Entry], decode: Decode) -> Iterator[tuple[Entry, NDArray[Any] | str]]:
    def attempt(record: Entry) -> NDArray[Any] | str:
        try:
            return decode(record.name)
        except Unusable as error:
            return str(error)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="decode") as pool:
        for start in range(0, len(entries), _WINDOW):
            window = entries[start : start + _WINDOW]
            yield from zip(window, pool.map(attempt, window), strict=True)
