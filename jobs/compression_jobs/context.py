"""What a stage is given and what it hands back.

Owns the two values between the runner and a stage. Must not know any stage: a stage reads its parameters,
fetches by digest, writes a folder, and returns; the runner publishes.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.base import Frozen
from compression_contract.inputs import RunRef
from compression_contract.results import StageFacts
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.errors import Misconfigured
from compression_jobs.keeper import Keeper
from compression_jobs.storage import Storage

__all__ = ["Output", "StageContext", "StageOutcome"]

Parameters = TypeVar("Parameters", bound=Frozen)


class Inputs(Protocol):
    """Artifacts that somebody with credentials has fetched."""

    def fetched(self, reference: ArtifactRef, kind: ArtifactKind) -> LocalArtifact:
        """One of them, whole; see `StageContext.fetch`."""
        ...


@dataclass(frozen=True, slots=True)
class StageContext(Generic[Parameters]):
    """Everything a stage may use; `context.parameters` is its part of the contract's input."""

    parameters: Parameters
    run: RunRef
    input_hash: str
    scratch: Path
    """A writable folder, empty at the start, gone with the pod."""
    registry_secret: Path
    """The folder that the registry's Secret is mounted at (it may be absent)."""
    ca_bundle: Path | None = None
    """PEM file of all trusted certificates, where the input adds some to the system's own."""
    storage: Storage | None = None
    inputs: Inputs | None = None
    """In place of the store, where the stage runs an author's code: all its inputs, fetched before."""
    keeper: Keeper = field(default_factory=Keeper)
    """For a stage that trains: its checkpoints, and which of several replicas this is."""

    def require_storage(self) -> Storage:
        """The object store.

        Raises:
            Misconfigured: the input names none.
        """
        if self.storage is None:
            raise Misconfigured(
                "StorageMissing",
                "This stage reads artifacts, but its input names no object store; set the storage of the job "
                "or the storage defaults of its CompressionRuntime.",
            )
        return self.storage

    def folder(self, name: str) -> Path:
        """A folder of this name in the scratch space, made if need be."""
        path = self.scratch / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def fetch(
        self, reference: ArtifactRef, kind: ArtifactKind, only: Container[str] | None = None
    ) -> LocalArtifact:
        """Download an artifact, or the files of it that are named, each checked against its digest.

        Args:
            reference: place and digest; a digest that is not that of the stored manifest is refused.
            kind: what the artifact must hold.
            only: paths to download; those that the manifest lacks are left out. None is all of them.

        Raises:
            InvalidData: WrongArtifactKind, DigestMismatch.
            NotFound, Denied, Unavailable, TransferFailed: the store's answer.
        """
        if self.inputs is not None:
            return self.inputs.fetched(reference, kind)
        folder = self.folder("fetched") / reference.digest.removeprefix("sha256:")[:16]
        return artifacts.fetch(self.require_storage(), reference, kind, folder, only)


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """What a stage achieved: facts for the operator, and the artifact where it makes one."""

    facts: StageFacts | None
    output: Output | None = None
