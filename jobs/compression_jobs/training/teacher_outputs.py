"""Teachers' outputs, computed once for a dataset and kept: in the pod, and by digest in the object store.

Owns what an output is known by, how it is stored, and that it is complete before anybody reads it. An entry
is `<cache>/<key>/`: artifacts named by their own digests, and `_SUCCESS`, which names the one that counts.
Writers of other bytes (another processor rounds otherwise) never touch each other's files, and all of them go
on with the one that finished first.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import Field, ValidationError

from compression_contract.artifacts import SUCCESS_NAME, ArtifactKind, ArtifactRef
from compression_contract.base import Digest, Frozen, digest_of, digest_of_json
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.context import Output, StageContext
from compression_jobs.errors import Denied, InvalidData, NotFound
from compression_jobs.readers import Indices, Split
from compression_jobs.training.rows import Floats, Layout, MappedRows, Writer, mapped
from compression_jobs.training.teachers import BATCH, Teacher

MAX_BYTES: Final = 2 << 30
"""The most that one output of one teacher may take; a larger one is computed batch by batch."""
_SECONDS_BETWEEN_LINES: Final = 30.0

log = logging.getLogger(__name__)


class OutputKey(Frozen):
    """All that decides what a teacher's output for some samples is."""

    version: int = 1
    """Of the way in which outputs are computed and stored."""
    teacher: Digest
    dataset: Digest
    reader: str
    code: Digest | None = None
    """Where the author's own code reads the samples."""
    split: str
    samples: Digest
    """Of their numbers in the split."""
    output: str
    """OUTPUT, or a layer."""

    @property
    def digest(self) -> str:
        """The name of its entry."""
        return digest_of_json(self.wire())


class _Facts(Frozen):
    """What the manifest of stored outputs says."""

    rows: int = Field(ge=1)
    shape: tuple[int, ...] = Field(max_length=4)
    rows_per_shard: int = Field(ge=1)
    key: OutputKey

    @property
    def layout(self) -> Layout:
        return Layout(self.rows, self.shape, self.rows_per_shard)


@dataclass(frozen=True, slots=True)
class Samples:
    """Some samples of a split of a dataset, and what they are known by."""

    split: Split
    indices: Indices
    dataset: Digest
    reader: str
    name: str
    """Of the split."""
    code: Digest | None = None

    def key(self, teacher: Digest, output: str) -> OutputKey:
        """What a teacher's output for these samples is known by."""
        return OutputKey(
            teacher=teacher,
            dataset=self.dataset,
            reader=self.reader,
            code=self.code,
            split=self.name,
            samples=digest_of(np.ascontiguousarray(self.indices, "<i8").tobytes()),
            output=output,
        )


@dataclass(frozen=True, slots=True)
class OutputStore:
    """Outputs of teachers for some samples.

    Without a place in the object store they live in the pod alone.
    """

    context: StageContext[Any]
    samples: Samples
    cache: str | None

    def find(self, key: OutputKey) -> MappedRows | None:
        """What an earlier run has kept; None where there is nothing that can be used.

        Raises:
            Denied, Unavailable, Misconfigured: the store's answer.
        """
        if self.cache is None:
            return None
        entry = self._entry(key)
        try:
            digest = artifacts.recorded_success(self.context.require_storage(), entry)
            if digest is None:
                return None
            reference = ArtifactRef(uri=_place(entry, digest), digest=digest)
            stored = self.context.fetch(reference, ArtifactKind.TEACHER_OUTPUTS)
            found = self._mapped(stored, key)
        except (InvalidData, NotFound) as error:
            log.warning("kept outputs cannot be used", extra={"fields": {"at": entry, "why": error.message}})
            return None
        log.info("a teacher's outputs are known", extra={"fields": {"at": entry, "rows": found.layout.rows}})
        return found

    def compute(self, teacher: Teacher, keys: Mapping[str, OutputKey]) -> dict[str, MappedRows]:
        """Ask a teacher about all samples, once, and keep what it shows.

        Args:
            teacher: to ask.
            keys: of the outputs to keep, by their names.

        Raises:
            InvalidData: of the teacher.
            Unavailable, Misconfigured: the store's answer.
        """
        first = teacher.answers(self.samples.split.inputs(self.samples.indices[:1]))
        layouts = {name: Layout.of(len(self.samples.indices), first[name].shape[1:]) for name in keys}
        folders = {name: self._folder(key) for name, key in keys.items()}
        writers = {name: Writer(folders[name], layouts[name]) for name in keys}
        for answers in self._answers(teacher):
            for name, writer in writers.items():
                writer.add(answers[name])
        for writer in writers.values():
            writer.close()
        return {name: self._kept(keys[name], folders[name], layouts[name]) for name in keys}

    def _answers(self, teacher: Teacher) -> Iterator[dict[str, Floats]]:
        indices, start = self.samples.indices, time.monotonic()
        last = start
        for place in range(0, len(indices), BATCH):
            yield teacher.answers(self.samples.split.inputs(indices[place : place + BATCH]))
            if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                told = {"teacher": teacher.name, "samples": place + BATCH, "of": len(indices)}
                log.info("a teacher is asked", extra={"fields": told})
        told = {"teacher": teacher.name, "samples": len(indices)}
        log.info(
            "a teacher has answered",
            extra={"fields": {**told, "seconds": round(time.monotonic() - start, 1)}},
        )

    def _kept(self, key: OutputKey, folder: Path, layout: Layout) -> MappedRows:
        """Store what was computed; where another writer finished first, its rows count."""
        own = mapped(folder, layout, self.samples.indices, len(self.samples.split))
        if self.cache is None:
            return own
        facts = _Facts(rows=layout.rows, shape=layout.shape, rows_per_shard=layout.rows_per_shard, key=key)
        output = Output(folder, ArtifactKind.TEACHER_OUTPUTS, facts.wire())
        manifest = artifacts.describe(output)
        storage, entry = self.context.require_storage(), self._entry(key)
        try:
            artifacts.publish(storage, output, manifest, _place(entry, manifest.digest), {})
            won = storage.write(
                artifacts.join(entry, SUCCESS_NAME), manifest.digest.encode(), only_if_absent=True
            )
        except Denied as error:
            log.warning("outputs cannot be kept", extra={"fields": {"at": entry, "why": error.message}})
            return own
        if won or artifacts.recorded_success(storage, entry) == manifest.digest:
            return own
        return self.find(key) or own

    def _mapped(self, stored: LocalArtifact, key: OutputKey) -> MappedRows:
        try:
            facts = _Facts.model_validate(stored.manifest.facts)
        except ValidationError as error:
            raise InvalidData("ManifestInvalid", f"{stored.digest} does not describe its rows.") from error
        if facts.key != key or facts.rows != len(self.samples.indices):
            raise InvalidData("ManifestInvalid", f"{stored.digest} holds the outputs of something else.")
        for path in facts.layout.files:
            stored.file(path)
        return mapped(stored.folder, facts.layout, self.samples.indices, len(self.samples.split))

    def _entry(self, key: OutputKey) -> str:
        return artifacts.join(self.cache or "", key.digest.removeprefix("sha256:"))

    def _folder(self, key: OutputKey) -> Path:
        return self.context.folder(f"outputs/{key.digest.removeprefix('sha256:')[:16]}")


def fits(samples: int, shape: tuple[int, ...]) -> bool:
    """Whether an output of this shape is small enough to be kept for so many samples."""
    return 4 * samples * math.prod(shape) <= MAX_BYTES


def _place(entry: str, digest: str) -> str:
    return artifacts.join(entry, digest.removeprefix("sha256:"))
