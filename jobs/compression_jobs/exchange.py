"""The two folders through which a stage that runs an author's code meets the object store.

Such a stage has no credential: an init container (`fetch`) puts all inputs into one folder before it, a
sidecar (`store`) takes what it leaves in the other one. Owns the layout of both. What lies in `outputs` was
written by a process that ran anybody's code: only `store` reads it, and does so as untrusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.base import Frozen, canonical_json
from compression_contract.results import StageFacts, StageResult
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.checkpoint_places import Folders, read_folder, write_folder
from compression_jobs.context import StageOutcome
from compression_jobs.errors import InvalidData, NotFound

MAX_END_BYTES: Final = 64 * 1024


class End(Frozen):
    """How the stage ended, in its own words; `store` makes its result of it."""

    exit_code: Annotated[int, Field(ge=0, le=255)]
    facts: StageFacts | None = None
    artifact: bool = False
    """Whether it made one."""
    result: StageResult | None = None
    """Of a failure."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Both folders; either may be absent where a container does not see it."""

    folder: Path

    @property
    def inputs(self) -> Path:
        """What was fetched: an artifact by the first digits of its digest."""
        return self.folder / "inputs"

    @property
    def outputs(self) -> Path:
        """What is to be stored."""
        return self.folder / "outputs"

    @property
    def recorded(self) -> Path:
        """The result of an earlier attempt, where there is one: then there is nothing to do."""
        return self.inputs / "recorded.json"

    @property
    def artifact(self) -> Path:
        """What the stage made, laid out as the store has it."""
        return self.outputs / "artifact"

    @property
    def end(self) -> Path:
        """How the stage ended; written last."""
        return self.outputs / "end.json"

    @property
    def log(self) -> Path:
        """The stage's log."""
        return self.outputs / "log.jsonl"

    @property
    def checkpoints(self) -> Folders:
        """Those that were fetched, and those to be stored."""
        return Folders(self.inputs / "checkpoint", self.outputs / "checkpoint")

    def input(self, digest: str) -> Path:
        """Where an input lies."""
        return self.inputs / digest.removeprefix("sha256:")[:16]

    def fetched(self, reference: ArtifactRef, kind: ArtifactKind) -> LocalArtifact:
        """An input, as `fetch` has left it.

        Raises:
            NotFound: InputNotFetched.
            InvalidData: ManifestInvalid, DigestMismatch, WrongArtifactKind.
        """
        folder = self.input(reference.digest)
        if not folder.is_dir():
            raise NotFound(
                "InputNotFetched", f"{reference.uri} was not fetched for this stage; is it in its input?"
            )
        found = read_folder(folder)
        if found.digest != reference.digest:
            raise InvalidData("DigestMismatch", f"{reference.uri} was fetched with digest {found.digest}.")
        artifacts.require_kind(found.manifest, kind, reference.uri)
        return found

    def leave(self, outcome: StageOutcome) -> None:
        """Put what the stage achieved where `store` finds it."""
        if outcome.output is not None:
            write_folder(outcome.output, self.artifact)
        self.finish(End(exit_code=0, facts=outcome.facts, artifact=outcome.output is not None))

    def finish(self, end: End) -> None:
        """Say how the stage ended, all at once."""
        self.outputs.mkdir(parents=True, exist_ok=True)
        partial = self.end.with_suffix(".partial")
        partial.write_bytes(canonical_json(end.wire()))
        partial.replace(self.end)


def references(parameters: BaseModel) -> Iterator[ArtifactRef]:
    """Everything that a stage's input names by place and digest, each once."""
    seen: set[str] = set()
    for found in _references(parameters):
        if found.digest not in seen:
            seen.add(found.digest)
            yield found


def _references(value: Any) -> Iterator[ArtifactRef]:
    if isinstance(value, BaseModel):
        uri, digest = getattr(value, "uri", None), getattr(value, "digest", None)
        if uri and digest:
            yield ArtifactRef(uri=uri, digest=digest)
        for name in type(value).model_fields:
            yield from _references(getattr(value, name))
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from _references(entry)


def failure(result: bytes, code: int) -> End:
    """The end of a stage whose termination message this is."""
    return End(exit_code=code, result=StageResult.model_validate(json.loads(result)))
