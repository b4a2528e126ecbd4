"""An author's reader, as the registry of readers takes it.

Owns the checks of what it returns. It serves the splits that train and calibrate; the test split is always
read by a reader of ours, because the evaluator, which runs nobody's code, has no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_jobs import readers
from compression_jobs.readers import DatasetFacts, Indices, Inputs, SplitFiles, Targets
from compression_jobs.readers.base import BadRecord
from compression_jobs.user_code.entry_points import NAME, invalid


def register(make: Callable[[], Any]) -> None:
    """Let the stages find it."""
    readers.register(NAME, AuthoredReader(make()))


class AuthoredReader:
    """See `readers.base.Reader`."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def files(self, split: str) -> SplitFiles:  # noqa: ARG002
        """Nothing in particular: all files of the dataset are there."""
        return SplitFiles()

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> AuthoredSplit:
        """See `readers.base.Reader.read`."""
        found = self._reader.read(folder, facts.wire(), split)
        wanted = facts.splits.get(split, 0)
        if len(found) != wanted:
            raise invalid(
                f"its reader finds {len(found)} samples in split {split}, the manifest says {wanted}"
            )
        inputs = np.asarray(found.inputs(np.arange(1)))
        if inputs.shape != (1, *facts.input_shape):
            raise invalid(f"its reader gives {inputs.shape[1:]}, the dataset has {facts.input_shape}")
        return AuthoredSplit(found)


@dataclass(frozen=True, slots=True)
class AuthoredSplit:
    """See `readers.base.Split`."""

    split: Any

    @property
    def labels(self) -> NDArray[np.int64]:
        """See Split.labels."""
        return np.asarray(self.split.labels, np.int64)

    @property
    def bad(self) -> tuple[BadRecord, ...]:
        """None: what an author leaves out is their affair."""
        return ()

    def __len__(self) -> int:
        return len(self.split)

    def inputs(self, indices: Indices) -> Inputs:
        """See Split.inputs."""
        found = np.asarray(self.split.inputs(indices))
        return np.ascontiguousarray(found, np.int64 if found.dtype.kind in "iu" else np.float32)

    def targets(self, indices: Indices) -> Targets:
        """See Split.targets."""
        if hasattr(self.split, "targets"):
            return {name: np.asarray(value) for name, value in self.split.targets(indices).items()}
        return {"labels": self.labels[indices]}
