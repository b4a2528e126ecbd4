"""Artifacts: a folder in object storage, described by a manifest whose digest names the whole.

Owns the manifest's shape, the order of writing it (`_SUCCESS` last) as names, and the run layout.
Must not know how bytes travel.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, model_validator

from compression_contract.base import S3URI, Digest, Frozen, canonical_json, digest_of

MANIFEST_NAME: Final = "manifest.json"
SUCCESS_NAME: Final = "_SUCCESS"
MAX_MANIFEST_BYTES: Final = 1024 * 1024

RelativePath = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$", max_length=256
    ),
]


class ArtifactKind(StrEnum):
    """What an artifact holds; a stage refuses one of another kind."""

    DATASET = "Dataset"
    TEACHER = "Teacher"
    FLOAT_STUDENT = "FloatStudent"
    CANDIDATE = "Candidate"
    EVALUATION = "Evaluation"
    RESOLUTION = "Resolution"
    SCAN = "Scan"
    TEACHER_OUTPUTS = "TeacherOutputs"
    CHECKPOINT = "Checkpoint"
    CODE = "Code"
    REPORT = "Report"


class FileEntry(Frozen):
    """One file of an artifact."""

    path: RelativePath
    bytes: Annotated[int, Field(ge=0)]
    sha256: Digest


class ArtifactManifest(Frozen):
    """The content of an artifact's manifest.json; its digest is the artifact's digest."""

    schema_version: Annotated[str, StringConstraints(pattern=r"^v1$")] = "v1"
    kind: ArtifactKind
    files: Annotated[tuple[FileEntry, ...], Field(max_length=4096)]
    facts: Annotated[dict[str, Any], Field(max_length=64)] = {}
    """Small facts of this kind of artifact: a dataset's shape and classes, a model's architecture."""

    @model_validator(mode="after")
    def _paths_are_unique_and_sorted(self) -> ArtifactManifest:
        paths = [entry.path for entry in self.files]
        if paths != sorted(set(paths)):
            raise ValueError("files must be sorted by path and each path given once")
        return self

    def to_bytes(self) -> bytes:
        """The canonical bytes that are stored and hashed."""
        return canonical_json(self.wire())

    @property
    def digest(self) -> str:
        """The artifact's digest."""
        return digest_of(self.to_bytes())

    @property
    def total_bytes(self) -> int:
        """Bytes of all files."""
        return sum(entry.bytes for entry in self.files)


class ArtifactRef(Frozen):
    """An artifact by place and content."""

    uri: S3URI
    digest: Digest


def run_prefix(storage_prefix: str, job_uid: str, stage: str, input_hash: str) -> str:
    """Where a stage of a run writes: the same input of the same run always has the same place.

    A repeated attempt looks here first and finds what an earlier one finished.
    """
    return f"{storage_prefix.rstrip('/')}/runs/{job_uid}/{stage}-{input_hash.removeprefix('sha256:')[:12]}"
