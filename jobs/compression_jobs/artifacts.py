"""Artifacts in object storage: fetch one by digest, make one of a folder.

Owns the order of writing (files, manifest, then whatever the caller records beside it, `_SUCCESS` last) and
the checks of reading (manifest by digest, kind, each file by sha256). Must not know what any file means.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from compression_contract.artifacts import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    SUCCESS_NAME,
    ArtifactKind,
    ArtifactManifest,
    ArtifactRef,
    FileEntry,
)
from compression_contract.base import digest_of
from compression_jobs.errors import Defect, InvalidData, NotFound, first_problem
from compression_jobs.storage import CHUNK_BYTES, Storage

PARALLEL: Final = 4
Item = TypeVar("Item")
_DIGEST: Final = re.compile(r"^sha256:[a-f0-9]{64}$")


@dataclass(frozen=True, slots=True)
class Output:
    """A folder that becomes an artifact: every file below it, with some facts for its manifest."""

    folder: Path
    kind: ArtifactKind
    facts: Mapping[str, Any] = field(default_factory=dict)


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
            Defect: it was not fetched.
        """
        if not self.has(path):
            raise InvalidData(
                "FileMissing",
                f"The {self.manifest.kind} artifact {self.digest} holds no file {path}; make it again.",
            )
        if not (self.folder / path).is_file():
            raise Defect("FileNotFetched", f"{path} of artifact {self.digest} was never fetched.")
        return self.folder / path


def digest_of_file(path: Path) -> str:
    """The sha256 digest of a file, in OCI's notation."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def read_manifest(storage: Storage, uri: str, digest: str | None = None) -> tuple[ArtifactManifest, str]:
    """An artifact's manifest and its digest.

    Args:
        storage: where it lies.
        uri: the artifact's folder.
        digest: if given, enforced.

    Raises:
        InvalidData: DigestMismatch, ManifestInvalid.
        NotFound, Denied, Unavailable, Misconfigured: the store's answer.
    """
    address = join(uri, MANIFEST_NAME)
    data = storage.read(address, MAX_MANIFEST_BYTES)
    found = digest_of(data)
    if digest is not None and found != digest:
        raise InvalidData(
            "DigestMismatch",
            f"{address} has digest {found}, expected {digest}; correct the digest or restore the artifact.",
        )
    try:
        return ArtifactManifest.model_validate_json(data), found
    except ValidationError as error:
        raise InvalidData(
            "ManifestInvalid", f"{address} is no artifact manifest ({first_problem(error)}); make it again."
        ) from error


def require_kind(manifest: ArtifactManifest, kind: ArtifactKind, uri: str) -> None:
    """Refuse an artifact that holds something else.

    Raises:
        InvalidData: WrongArtifactKind.
    """
    if manifest.kind != kind:
        raise InvalidData(
            "WrongArtifactKind",
            f"{uri} holds a {manifest.kind}, but a {kind} is needed here; correct the address.",
        )


def recorded_success(storage: Storage, uri: str) -> str | None:
    """The manifest digest that `_SUCCESS` records, or None where the artifact is not finished.

    Raises:
        InvalidData: ManifestInvalid, `_SUCCESS` holds something else.
        Denied, Unavailable, Misconfigured: the store's answer.
    """
    data = storage.read_if_present(join(uri, SUCCESS_NAME), 4096)
    if data is None:
        return None
    digest = data.decode("ascii", "replace").strip()
    if not _DIGEST.match(digest):
        raise InvalidData(
            "ManifestInvalid",
            f"{join(uri, SUCCESS_NAME)} does not hold a manifest's digest; make the artifact again.",
        )
    return digest


def is_intact(storage: Storage, uri: str, digest: str) -> bool:
    """Whether the stored manifest has this digest."""
    try:
        read_manifest(storage, uri, digest)
    except (InvalidData, NotFound):
        return False
    return True


def fetch(
    storage: Storage,
    reference: ArtifactRef,
    kind: ArtifactKind,
    folder: Path,
    only: Container[str] | None = None,
) -> LocalArtifact:
    """Download an artifact into a folder; see `StageContext.fetch`."""
    manifest, digest = read_manifest(storage, reference.uri, reference.digest)
    require_kind(manifest, kind, reference.uri)
    wanted = [entry for entry in manifest.files if only is None or entry.path in only]

    def download(entry: FileEntry) -> None:
        storage.download(join(reference.uri, entry.path), folder / entry.path, entry.sha256, entry.bytes)

    in_parallel(download, wanted)
    return LocalArtifact(manifest, digest, folder)


def describe(output: Output) -> ArtifactManifest:
    """The manifest of a folder.

    Raises:
        InvalidData: OutputInvalid, for links, strange names, no files or too many.
    """
    files = []
    for path in sorted(output.folder.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise InvalidData(
                "OutputInvalid", f"{path.name} in the stage's output is no plain file; leave it out."
            )
        if path.is_file():
            name = path.relative_to(output.folder).as_posix()
            files.append((name, path.stat().st_size, digest_of_file(path)))
    try:
        entries = tuple(
            FileEntry(path=name, bytes=size, sha256=digest) for name, size, digest in sorted(files)
        )
        return ArtifactManifest(kind=output.kind, files=entries, facts=dict(output.facts))
    except ValidationError as error:
        raise InvalidData(
            "OutputInvalid", f"The stage's output cannot become an artifact: {first_problem(error)}."
        ) from error


def publish(
    storage: Storage, output: Output, manifest: ArtifactManifest, uri: str, beside: Mapping[str, bytes]
) -> bool:
    """Store a folder as an artifact; `_SUCCESS` goes last, so a reader sees all of it or nothing.

    Args:
        storage: where to.
        output: the folder.
        manifest: its description, from `describe`.
        uri: the artifact's folder; what an earlier attempt left half-written there is overwritten.
        beside: small files that belong to the run, not to the artifact: the recorded result.

    Returns:
        False if another attempt finished first: then what it wrote counts.

    Raises:
        Denied, NotFound, Unavailable, Misconfigured: the store's answer.
    """

    def upload(entry: FileEntry) -> None:
        storage.upload(output.folder / entry.path, join(uri, entry.path))

    in_parallel(upload, manifest.files)
    data = manifest.to_bytes()
    storage.write(join(uri, MANIFEST_NAME), data)
    for name, content in beside.items():
        storage.write(join(uri, name), content)
    return storage.write(join(uri, SUCCESS_NAME), digest_of(data).encode(), only_if_absent=True)


def join(uri: str, path: str) -> str:
    """The address of a file below an artifact's folder."""
    return f"{uri.rstrip('/')}/{path}"


def in_parallel(work: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Do some transfers at a time; the first failure ends those that have not begun."""
    pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="transfer")
    try:
        for done in [pool.submit(work, item) for item in items]:
            done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
