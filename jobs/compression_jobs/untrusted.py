"""Files that a process wrote which ran anybody's code.

Owns taking them into a folder of our own: no link is followed, nothing but regular files is opened, each size
is limited before a byte is read, and what is used afterwards is our copy, which nobody can change any more.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import ValidationError

from compression_contract.artifacts import MANIFEST_NAME, MAX_MANIFEST_BYTES, ArtifactManifest, FileEntry
from compression_jobs.artifacts import Output
from compression_jobs.errors import InvalidData, first_problem

MAX_ARTIFACT_BYTES: Final = 8 << 30
_CHUNK: Final = 1 << 20
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read(folder: Path, path: str, limit: int) -> bytes | None:
    """A small file's bytes; None where there is none.

    Raises:
        InvalidData: OutputUnsafe, OutputTooLarge.
    """
    with _opened(folder, path) as file:
        if file is None:
            return None
        data = b""
        while chunk := os.read(file, min(_CHUNK, limit + 1 - len(data))):
            data += chunk
        if len(data) > limit:
            raise _too_large(path, limit)
        return data


def take(folder: Path, target: Path) -> Output | None:
    """Copy an artifact that lies there as the store has it; None where there is none, or not all of it.

    Raises:
        InvalidData: OutputUnsafe, OutputTooLarge, OutputInvalid.
    """
    data = read(folder, MANIFEST_NAME, MAX_MANIFEST_BYTES)
    if data is None:
        return None
    try:
        manifest = ArtifactManifest.model_validate_json(data)
    except ValidationError as error:
        raise InvalidData(
            "OutputInvalid", f"What the stage left has no valid manifest ({first_problem(error)})."
        ) from error
    if manifest.total_bytes > MAX_ARTIFACT_BYTES:
        raise _too_large("the stage's artifact", MAX_ARTIFACT_BYTES)
    for entry in manifest.files:
        if not _copied(folder, entry, target / entry.path):
            return None
    return Output(target, manifest.kind, manifest.facts)


def _copied(folder: Path, entry: FileEntry, target: Path) -> bool:
    """Whether the file was there with the bytes that the manifest says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), entry.bytes
    with _opened(folder, entry.path) as file, target.open("wb") as copy:
        if file is None:
            return False
        while chunk := os.read(file, min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                return False
            digest.update(chunk)
            copy.write(chunk)
    return left == 0 and f"sha256:{digest.hexdigest()}" == entry.sha256


@contextlib.contextmanager
def _opened(folder: Path, path: str) -> Iterator[int | None]:
    """A descriptor of a regular file below a folder; None where there is none."""
    with contextlib.ExitStack() as stack:
        try:
            at = os.open(folder, _OPEN | os.O_DIRECTORY)
            stack.callback(os.close, at)
            *parents, name = PurePosixPath(path).parts
            for parent in parents:
                at = os.open(parent, _OPEN | os.O_DIRECTORY, dir_fd=at)
                stack.callback(os.close, at)
            file = os.open(name, _OPEN, dir_fd=at)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise _unsafe(path, error.strerror or "it cannot be opened") from error
        stack.callback(os.close, file)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _unsafe(path, "it is no regular file")
        yield file


def _unsafe(path: str, why: str) -> InvalidData:
    return InvalidData("OutputUnsafe", f"{path} of what the stage left is not taken: {why}.")


def _too_large(what: str, limit: int) -> InvalidData:
    return InvalidData("OutputTooLarge", f"{what} is larger than {limit} bytes.")
