"""Where checkpoints lie: in the object store, or in folders of a pod whose stage has no credentials.

Owns the layout of both: an artifact in each slot, `_SUCCESS` last. Must not know what is in a checkpoint.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from compression_contract.artifacts import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    SUCCESS_NAME,
    ArtifactKind,
    ArtifactManifest,
    ArtifactRef,
)
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.checkpoints import ARRAYS_FILE, SLOTS, VALUES_FILE
from compression_jobs.errors import InvalidData
from compression_jobs.storage import Storage

SUFFIX = "-checkpoint"


def address(output: str) -> str:
    """Where the checkpoints of the stage with this output lie: beside it, outside its artifact."""
    return output.rstrip("/") + SUFFIX


@dataclass(frozen=True, slots=True)
class Stored:
    """Slots in the object store."""

    storage: Storage
    uri: str
    scratch: Path

    def read(self, slot: str) -> LocalArtifact | None:
        """See Place.read."""
        uri = artifacts.join(self.uri, slot)
        digest = artifacts.recorded_success(self.storage, uri)
        if digest is None:
            return None
        folder = self.scratch / slot
        shutil.rmtree(folder, ignore_errors=True)
        reference = ArtifactRef(uri=uri, digest=digest)
        return artifacts.fetch(self.storage, reference, ArtifactKind.CHECKPOINT, folder)

    def write(self, slot: str, output: Output) -> None:
        """See Place.write."""
        uri = artifacts.join(self.uri, slot)
        self.storage.delete(artifacts.join(uri, SUCCESS_NAME))
        artifacts.publish(self.storage, output, artifacts.describe(output), uri, {})

    def clear(self) -> None:
        """See Place.clear."""
        for slot in SLOTS:
            uri = artifacts.join(self.uri, slot)
            for name in (SUCCESS_NAME, MANIFEST_NAME, VALUES_FILE, ARRAYS_FILE):
                self.storage.delete(artifacts.join(uri, name))


@dataclass(frozen=True, slots=True)
class Folders:
    """Slots in folders: what was fetched before, and what somebody else will store."""

    fetched: Path
    kept: Path

    def read(self, slot: str) -> LocalArtifact | None:
        """See Place.read."""
        folder = self.fetched / slot
        if not (folder / SUCCESS_NAME).is_file():
            return None
        return read_folder(folder)

    def write(self, slot: str, output: Output) -> None:
        """See Place.write."""
        write_folder(output, self.kept / slot)

    def clear(self) -> None:
        """See Place.clear; whoever stores the artifact removes them from the store."""
        shutil.rmtree(self.kept, ignore_errors=True)


def write_folder(output: Output, target: Path) -> None:
    """Lay out an artifact in a folder as the store has it, `_SUCCESS` last."""
    target.mkdir(parents=True, exist_ok=True)
    (target / SUCCESS_NAME).unlink(missing_ok=True)
    manifest = artifacts.describe(output)
    for entry in manifest.files:
        (target / entry.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(output.folder / entry.path, target / entry.path)
    (target / MANIFEST_NAME).write_bytes(manifest.to_bytes())
    (target / SUCCESS_NAME).write_text(manifest.digest, encoding="ascii")


def read_folder(folder: Path) -> LocalArtifact:
    """An artifact that was laid out and checked by somebody we trust.

    Raises:
        InvalidData: ManifestInvalid.
    """
    try:
        with (folder / MANIFEST_NAME).open("rb") as file:
            manifest = ArtifactManifest.model_validate_json(file.read(MAX_MANIFEST_BYTES))
    except (OSError, ValueError) as error:
        raise InvalidData("ManifestInvalid", f"{folder.name} holds no artifact ({error}).") from error
    return LocalArtifact(manifest, manifest.digest, folder)
