"""Artifacts in object storage: fetch one by digest, make one of a folder.

Owns the order of writing (files, manifest, result, `_SUCCESS` last) and the checks of reading (manifest by
digest, kind, each file by sha256). Must not know what any file means.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from compression_contract.artifacts import ArtifactKind, ArtifactManifest, ArtifactRef
from compression_jobs.storage import Storage


@dataclass(frozen=True, slots=True)
class LocalArtifact:
    """An artifact, or some files of it, on disk and checked."""

    manifest: ArtifactManifest
    digest: str
    folder: Path

    def has(self, path: str) -> bool:
        """Whether the artifact holds this file."""
        return any(entry.path == path for entry in self.manifest.files)

    def file(self, path: str) -> Path:
        """Where a file lies.

        Raises:
            InvalidData: FileMissing, the artifact does not hold it.
        """
        raise NotImplementedError


def fetch(
    storage: Storage,
    reference: ArtifactRef,
    kind: ArtifactKind,
    folder: Path,
    only: Collection[str] | None = None,
) -> LocalArtifact:
    """Download an artifact into a folder; see `StageContext.fetch`."""
    raise NotImplementedError
