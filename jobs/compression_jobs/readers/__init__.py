"""Readers of datasets by name.

Owns the registry, the two questions that stages ask (which files does a split need, and what is in it), and
how many bad records are too many.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from compression_jobs.artifacts import LocalArtifact
from compression_jobs.errors import InvalidData, InvalidInput, first_problem
from compression_jobs.readers.audio_manifest import AudioManifestReader
from compression_jobs.readers.base import DatasetFacts, Indices, Inputs, Reader, Split, SplitFiles, Targets
from compression_jobs.readers.coco import COCOReader
from compression_jobs.readers.image_tar import ImageTarReader
from compression_jobs.readers.npz import NPZReader
from compression_jobs.readers.ocr_list import OCRListReader
from compression_jobs.readers.text import TextReader

__all__ = [
    "MAX_BAD_RECORDS",
    "READERS",
    "DatasetFacts",
    "Indices",
    "Inputs",
    "OpenDataset",
    "Split",
    "SplitFiles",
    "Targets",
    "files_of",
    "is_authored",
    "open_reader",
    "register",
]

READERS: Final[Mapping[str, Reader]] = {
    "npz": NPZReader(),
    "image-tar": ImageTarReader(),
    "coco": COCOReader(),
    "ocr-list": OCRListReader(),
    "audio-manifest": AudioManifestReader(),
    "text": TextReader(),
}

MAX_BAD_RECORDS: Final = 0.01
"""Share of a split's records that may be left out."""
_NAMED: Final = 5
"""Bad records that the log names one by one."""

log = logging.getLogger(__name__)


class OpenDataset:
    """A fetched dataset whose splits are read when they are asked for."""

    def __init__(
        self,
        reader: Reader,
        artifact: LocalArtifact,
        facts: DatasetFacts,
        max_bad_records: float = MAX_BAD_RECORDS,
    ) -> None:
        self._reader = reader
        self._artifact = artifact
        self._max_bad_records = max_bad_records
        self.facts = facts

    def has(self, split: str) -> bool:
        """Whether the dataset has such a split."""
        return split in self.facts.splits

    def split(self, name: str) -> Split:
        """Open a split; records that cannot be used are left out, counted and logged.

        Raises:
            InvalidData: SplitNotFound, DatasetInvalid, ArchiveUnsafe, FileMissing, TooManyBadRecords.
        """
        if not self.has(name):
            raise InvalidData(
                "SplitNotFound",
                f"The dataset has no split {name!r}, it has {', '.join(sorted(self.facts.splits))}; "
                "correct spec.dataset.splits.",
            )
        wanted = self._reader.files(name)
        paths = [entry.path for entry in self._artifact.manifest.files]
        if not wanted.complete(paths):
            raise InvalidData(
                "FileMissing",
                f"The dataset {self._artifact.digest} lacks files of the split {name!r}; make it again.",
            )
        for path in paths:
            if path in wanted:
                self._artifact.file(path)
        found = self._reader.read(self._artifact.folder, self.facts, name)
        self._judge(name, found)
        return found

    def _judge(self, name: str, split: Split) -> None:
        """Say what was left out of a split, and refuse it where that is too much."""
        if not split.bad:
            return
        records = len(split) + len(split.bad)
        for record in split.bad[:_NAMED]:
            log.warning(
                "bad record", extra={"fields": {"split": name, "name": record.name, "why": record.why}}
            )
        counts = {"split": name, "bad": len(split.bad), "records": records}
        log.warning("records were left out", extra={"fields": counts})
        first = split.bad[0]
        if len(split) == 0 or len(split.bad) > self._max_bad_records * records:
            raise InvalidData(
                "TooManyBadRecords",
                f"{len(split.bad)} of {records} records of the split {name!r} cannot be used, more than "
                f"{self._max_bad_records:.3g} of them; the first is {first.name[:80]}: {first.why[:160]}.",
            )


_ADDED: dict[str, Reader] = {}


def register(name: str, reader: Reader) -> None:
    """Let a name mean an author's own reader in this process; ours keep their meaning."""
    _ADDED[name] = reader


def is_authored(reader: str) -> bool:
    """Whether a name means an author's own reader."""
    return reader in _ADDED and reader not in READERS


def files_of(reader: str, *splits: str) -> SplitFiles:
    """The files of an artifact that some splits need.

    Raises:
        InvalidInput: ReaderUnknown.
    """
    found, files = _reader(reader), SplitFiles()
    for split in splits:
        files |= found.files(split)
    return files


def open_reader(
    reader: str, artifact: LocalArtifact, max_bad_records: float = MAX_BAD_RECORDS
) -> OpenDataset:
    """Open a fetched dataset.

    Args:
        reader: its format, a key of READERS; empty is the one that the manifest names.
        artifact: the dataset, or those files of it that will be read.
        max_bad_records: share of a split's records that may be left out.

    Raises:
        InvalidInput: ReaderUnknown; ReaderDiffers, the dataset is made for another.
        InvalidData: DatasetFactsInvalid.
    """
    try:
        facts = DatasetFacts.model_validate(artifact.manifest.facts)
    except ValidationError as error:
        raise InvalidData(
            "DatasetFactsInvalid",
            f"The manifest of dataset {artifact.digest} does not describe it ({first_problem(error)}); "
            "prepare it again.",
        ) from error
    found = _reader(reader or facts.reader)
    # An author's own may read what a dataset that is made for one of ours holds.
    if reader and reader != facts.reader and not is_authored(reader):
        raise InvalidInput(
            "ReaderDiffers",
            f"The dataset is made for the reader {facts.reader!r}, not {reader!r}; "
            "correct spec.dataset.reader.",
        )
    return OpenDataset(found, artifact, facts, max_bad_records)


def _reader(name: str) -> Reader:
    known = {**_ADDED, **READERS}
    if name not in known:
        raise InvalidInput(
            "ReaderUnknown",
            f"No reader is named {name!r}; set spec.dataset.reader to one of {', '.join(known)}.",
        )
    return known[name]
