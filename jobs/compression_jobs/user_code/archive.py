"""The archive that an author's code comes in.

Owns unpacking it safely (regular files and folders only, nothing outside the folder, every size limited
before it is taken) and packing it so that the same files give the same bytes. Must not import what is in it.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from compression_jobs.errors import InvalidData

MAX_FILES: Final = 1000
MAX_BYTES: Final = 64 << 20
"""Of everything unpacked, tar's own headers included."""
_LEFT_OUT: Final = frozenset({"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .tar.gz into a folder.

    Raises:
        InvalidData: CodeUnsafe, CodeUnreadable.
    """
    try:
        with (
            gzip.open(archive) as stream,
            tarfile.open(fileobj=cast("Any", _Limited(stream)), mode="r|") as members,
        ):
            for number, member in enumerate(members):
                if number >= MAX_FILES:
                    raise _unsafe(f"it has more than {MAX_FILES} members")
                _unpack(members, member, folder)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise InvalidData(
            "CodeUnreadable", f"The author's code is no .tar.gz archive ({error}); pack it again."
        ) from error


def pack(folder: Path, archive: Path) -> None:
    """Pack a folder's files, without caches; the same files give the same bytes.

    Raises:
        InvalidData: CodeUnsafe, for links and for too much of anything.
    """
    total = 0
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as members,
    ):
        for number, path in enumerate(_files(folder)):
            total += path.stat().st_size
            if number >= MAX_FILES or total > MAX_BYTES // 2:
                raise _unsafe(f"it has more than {MAX_FILES} files or {MAX_BYTES // 2} bytes")
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                members.addfile(member, content)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if _LEFT_OUT & set(path.relative_to(folder).parts):
            continue
        if path.is_symlink():
            raise _unsafe(f"{path.name} is a link")
        if path.is_file():
            yield path


def _unpack(members: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or not name.parts or "\\" in member.name:
        raise _unsafe(f"{member.name[:80]!r} is outside of its folder")
    target = folder.joinpath(*name.parts)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    if not member.isreg():
        raise _unsafe(f"{member.name[:80]!r} is neither a file nor a folder")
    content = members.extractfile(member)
    if content is None or target.exists():
        raise _unsafe(f"{member.name[:80]!r} is there twice")
    target.parent.mkdir(parents=True, exist_ok=True)
    with content, target.open("xb") as file:
        while chunk := content.read(1 << 20):
            file.write(chunk)


class _Limited(io.RawIOBase):
    """A stream that ends with an error where it is longer than allowed: a bomb never gets into memory."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        super().__init__()
        self._stream = stream
        self._left = MAX_BYTES

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise _unsafe(f"it unpacks to more than {MAX_BYTES} bytes")
        return data


def _unsafe(why: str) -> InvalidData:
    return InvalidData("CodeUnsafe", f"The archive of the author's code is refused: {why}.")
