"""Readers of datasets by name.

Owns the registry and the two questions that stages ask: which files does a split need, and what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from compression_jobs.artifacts import LocalArtifact
from compression_jobs.errors import InvalidData, InvalidInput, first_problem
from compression_jobs.readers.base import DatasetFacts, Indices, Reader, Split
from compression_jobs.readers.npz import NPZReader

__all__ = ["READERS", "DatasetFacts", "Indices", "OpenDataset", "Split", "files_of", "open_reader"]

READERS: Final[Mapping[str, Reader]] = {"npz": NPZReader()}


class OpenDataset:
    """A fetched dataset whose splits are read when they are asked for."""

    def __init__(self, reader: Reader, artifact: LocalArtifact, facts: DatasetFacts) -> None:
        self._reader = reader
        self._artifact = artifact
        self.facts = facts

    def has(self, split: str) -> bool:
        """Whether the dataset has such a split."""
        return split in self.facts.splits

    def split(self, name: str) -> Split:
        """Open a split.

        Raises:
            InvalidData: SplitNotFound, DatasetInvalid, FileMissing.
        """
        if not self.has(name):
            raise InvalidData(
                "SplitNotFound",
                f"The dataset has no split {name!r}, it has {', '.join(sorted(self.facts.splits))}; "
                "correct spec.dataset.splits.",
            )
        for path in self._reader.files(name):
            self._artifact.file(path)
        return self._reader.read(self._artifact.folder, self.facts, name)


def files_of(reader: str, split: str) -> tuple[str, ...]:
    """The files of an artifact that a split needs.

    Raises:
        InvalidInput: ReaderUnknown.
    """
    return _reader(reader).files(split)


def open_reader(reader: str, artifact: LocalArtifact) -> OpenDataset:
    """Open a fetched dataset.

    Args:
        reader: its format, a key of READERS.
        artifact: the dataset, or those files of it that will be read.

    Raises:
        InvalidInput: ReaderUnknown.
        InvalidData: DatasetFactsInvalid.
    """
    found = _reader(reader)
    try:
        facts = DatasetFacts.model_validate(artifact.manifest.facts)
    except ValidationError as error:
        raise InvalidData(
            "DatasetFactsInvalid",
            f"The manifest of dataset {artifact.digest} does not describe it ({first_problem(error)}); "
            "prepare it again.",
        ) from error
    return OpenDataset(found, artifact, facts)


def _reader(name: str) -> Reader:
    if name not in READERS:
        raise InvalidInput(
            "ReaderUnknown",
            f"No reader is named {name!r}; set spec.dataset.reader to one of {', '.join(READERS)}.",
        )
    return READERS[name]
