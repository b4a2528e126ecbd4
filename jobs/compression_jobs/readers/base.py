"""What every reader of datasets offers.

Owns the Protocol between files and those who train or measure. Must not import a training framework: the
evaluator's image has none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_jobs.readers.facts import DatasetFacts

__all__ = [
    "BadRecord",
    "DatasetFacts",
    "Indices",
    "Inputs",
    "Reader",
    "Split",
    "SplitFiles",
    "Targets",
    "is_shard",
]

Indices = NDArray[np.int64]
Inputs = NDArray[Any]
"""float32, normalised; or int64, token ids: as DatasetFacts.input_type says."""
Targets = Mapping[str, NDArray[Any]]
"""What is to be found in some samples, by name:

Labels: `labels` int64 [n].
Boxes: `boxes` float32 [m, 4], left, top, right, bottom in pixels of the input; `classes` int64 [m]; those of
sample i lie from `offsets[i]` to `offsets[i + 1]`, `offsets` int64 [n + 1].
Symbols: `symbols` int64 [m], numbers from 1, and `offsets` int64 [n + 1].
"""


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that cannot be used."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class SplitFiles:
    """Which of a dataset's files belong to some splits: `path in files`."""

    required: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    """Splits whose samples lie in `<split>-000000.tar`, `<split>-000001.tar`, …"""

    def __contains__(self, path: object) -> bool:
        return path in self.required or any(is_shard(split, path) for split in self.shards)

    def __or__(self, other: SplitFiles) -> SplitFiles:
        return SplitFiles(self.required + other.required, self.shards + other.shards)

    def complete(self, paths: Collection[str]) -> bool:
        """Whether these files are all that reading needs: the required ones, and a shard of each split."""
        sharded = all(any(is_shard(split, path) for path in paths) for split in self.shards)
        return sharded and set(self.required) <= set(paths)


def is_shard(split: str, path: object) -> bool:
    """Whether a file is a tar shard of a split."""
    return (
        isinstance(path, str)
        and path.startswith(f"{split}-")
        and re.fullmatch(r"[0-9]{6}\.tar", path.removeprefix(f"{split}-")) is not None
    )


class Split(Protocol):
    """One part of a dataset; sample i is `inputs([i])[0]`, and `targets([i])` what is to be found in it."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of every sample, [n].

        Raises:
            InvalidInput: TaskMismatch, the samples have no class.
        """
        ...

    @property
    def bad(self) -> tuple[BadRecord, ...]:
        """Records that were left out."""
        ...

    def __len__(self) -> int:
        """Number of samples, bad records left out."""
        ...

    def inputs(self, indices: Indices) -> Inputs:
        """Samples as the network takes them, [len(indices), *input_shape]; safe to call from threads."""
        ...

    def targets(self, indices: Indices) -> Targets:
        """What is to be found in these samples."""
        ...


class Reader(Protocol):
    """One format of datasets."""

    def files(self, split: str) -> SplitFiles:
        """The artifact's files that a split needs, so that no more is fetched."""
        ...

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> Split:
        """Open a split.

        Raises:
            InvalidData: DatasetInvalid, the files are not what the facts say; ArchiveUnsafe.
        """
        ...
