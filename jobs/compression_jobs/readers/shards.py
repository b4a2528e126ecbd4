"""Samples in tar archives, as WebDataset lays them out (https://github.com/webdataset/webdataset).

Owns the table of members, made once from the headers alone, and reading a member by name. Nothing is ever
extracted to disk. Must not know what a member means.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, cast

from compression_jobs.errors import InvalidData
from compression_jobs.readers.base import is_shard
from compression_jobs.readers.problems import Unusable

MAX_MEMBERS: Final = 2_000_000
"""Of a split; the table takes some 300 bytes for each."""
MAX_MEMBER_BYTES: Final = 64 << 20
_MAX_HEADER: Final = 64 << 10
"""More than any honest header: tarfile reads an extended header into memory in the size it declares."""
_NAME: Final = re.compile(
    r"(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f\\]{1,255}(/(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f\\]{1,255}){0,15}"
)


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member's bytes lie."""

    shard: int
    offset: int
    size: int


class Shards:
    """The members of a split's archives by name; reading is safe from several threads."""

    def __init__(self, paths: tuple[Path, ...], members: Mapping[str, Member]) -> None:
        self._files = [path.open("rb", buffering=0) for path in paths]
        self.members = MappingProxyType(dict(members))

    @classmethod
    def open(cls, folder: Path, split: str) -> Shards:
        """Read the headers of all archives of a split.

        Raises:
            InvalidData: ArchiveUnsafe, naming the archive, the member and what is wrong with it;
                ArchiveInvalid, it is no tar archive, or cut off.
        """
        paths = tuple(sorted(path for path in folder.iterdir() if is_shard(split, path.name)))
        members: dict[str, Member] = {}
        for number, path in enumerate(paths):
            for name, member in _scan(path, number):
                if name in members:
                    raise _unsafe(path, name, "stands there twice")
                members[name] = member
                if len(members) > MAX_MEMBERS:
                    raise _unsafe(path, name, f"is one more than the {MAX_MEMBERS} members allowed")
        return cls(paths, members)

    def read(self, name: str) -> bytes:
        """A member's bytes.

        Raises:
            KeyError: there is none of this name.
        """
        member = self.members[name]
        return os.pread(self._files[member.shard].fileno(), member.size, member.offset)

    def member(self, name: str) -> bytes:
        """A member's bytes, where a list names it.

        Raises:
            Unusable: there is none of this name.
        """
        try:
            return self.read(name)
        except KeyError as error:
            raise Unusable("it is in none of the archives") from error

    def __del__(self) -> None:
        for file in getattr(self, "_files", ()):
            file.close()


class _Headers:
    """A file that hands out no more than a header at a time, whatever size an archive declares."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _scan(path: Path, number: int) -> Iterator[tuple[str, Member]]:
    """The plain files of an archive; folders are passed over, everything else is refused."""
    length = path.stat().st_size
    try:
        with (
            path.open("rb") as file,
            # No compression: what unpacks itself while it is read has no size that could be capped.
            tarfile.open(fileobj=cast("BinaryIO", _Headers(file)), mode="r:") as archive,
        ):
            while (entry := archive.next()) is not None:
                cast("Any", archive).members.clear()  # tarfile would keep every header
                if entry.isdir():
                    continue
                name = _checked(path, entry)
                if entry.offset_data + entry.size > length:
                    raise tarfile.ReadError("unexpected end of data")
                yield name, Member(number, entry.offset_data, entry.size)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, OSError) as error:
        raise InvalidData(
            "ArchiveInvalid",
            f"{path.name} is no readable tar archive ({error}); pack it again, uncompressed.",
        ) from error


def _checked(path: Path, entry: tarfile.TarInfo) -> str:
    name = entry.name.removeprefix("./")
    if not entry.isreg() or entry.issparse():
        raise _unsafe(path, name, "is a link, a device or a sparse file")
    if not _NAME.fullmatch(name):
        raise _unsafe(path, name, "has a name that is absolute, leads out of the archive or is no plain name")
    if not 0 <= entry.size <= MAX_MEMBER_BYTES:
        raise _unsafe(path, name, f"is larger than the {MAX_MEMBER_BYTES >> 20} MiB allowed")
    return name


def _unsafe(path: Path, name: str, why: str) -> InvalidData:
    return InvalidData(
        "ArchiveUnsafe",
        f"{path.name} of the dataset: member {name[:120]!r} {why}; leave it out and pack it again.",
    )
