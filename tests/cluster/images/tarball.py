"""Reproducible tar archives: the same files give the same bytes, whoever packs them, wherever and whenever.

Names are sorted and times are zero; files of ours belong to root and have mode 0755 or 0644.
Must not know: what is packed, or why.
"""

import io
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class Slice:
    """A part of a file: `size` bytes from `offset`, such as a member of another archive."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True)
class Entry:
    """One member of an archive.

    `name` has no leading slash. `data` is a file's content or where it lies; `link` is a symbolic link's
    target; an entry with neither is a folder.
    """

    name: str
    mode: int = 0o644
    data: bytes | Path | Slice | None = None
    link: str | None = None
    uid: int = 0
    gid: int = 0


def folder_entries(root: Path, prefix: str) -> Iterator[Entry]:
    """What lies under a folder, named under `prefix`; modes keep only whether a file may be run."""
    yield Entry(prefix, 0o755)
    for path in root.rglob("*"):
        name = f"{prefix}/{path.relative_to(root).as_posix()}"
        if path.is_symlink():
            yield Entry(name, 0o777, link=str(path.readlink()))
        elif path.is_dir():
            yield Entry(name, 0o755)
        else:
            yield Entry(name, 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644, path)


def archive_entries(path: Path) -> Iterator[Entry]:
    """The members of an uncompressed archive: files, folders and symbolic links.

    A hard link becomes a copy, because a layer must not point into another one. Devices are left out: the
    container runtime brings its own.
    """
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            name = member.name.removeprefix("./").strip("/")
            if name in {"", "."}:
                continue
            source = archive.getmember(member.linkname) if member.islnk() else member
            owner = (member.uid, member.gid)
            if member.issym():
                yield Entry(name, 0o777, None, member.linkname, *owner)
            elif member.isdir():
                yield Entry(name, member.mode, None, None, *owner)
            elif source.isreg():
                content = Slice(path, source.offset_data, source.size)
                yield Entry(name, member.mode, content, None, *owner)


def parents(name: str) -> Iterator[Entry]:
    """The folders above a name, outermost first."""
    pieces = name.split("/")[:-1]
    for count in range(1, len(pieces) + 1):
        yield Entry("/".join(pieces[:count]), 0o755)


def write(entries: Iterable[Entry], out: BinaryIO) -> None:
    """Write the entries, sorted by name, as one archive; of two with one name the later wins."""
    chosen = {entry.name: entry for entry in entries}
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as archive:
        for name in sorted(chosen, key=lambda name: name.split("/")):
            _add(archive, chosen[name])


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.name)
    info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
    if entry.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        archive.addfile(info)
    elif entry.data is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif isinstance(entry.data, bytes):
        info.size = len(entry.data)
        archive.addfile(info, io.BytesIO(entry.data))
    elif isinstance(entry.data, Slice):
        info.size = entry.data.size
        with entry.data.path.open("rb") as content:
            content.seek(entry.data.offset)
            archive.addfile(info, content)
    else:
        info.size = entry.data.stat().st_size
        with entry.data.open("rb") as content:
            archive.addfile(info, content)
