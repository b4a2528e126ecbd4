"""Where a blob's bytes come from when a registry does not have them yet.

Owns the sources only; sending is the client's.
"""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from compression_jobs.registry.client import Registry


class Source(Protocol):
    """Opens a blob's bytes, from the start each time, as an iterator of pieces."""

    def open(self) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes in pieces, for as long as the context is open."""
        ...


@dataclass(frozen=True)
class Bytes:
    """A blob at hand in memory."""

    data: bytes = field(repr=False)

    @contextmanager
    def open(self) -> Iterator[Iterator[bytes]]:
        """The bytes, in one piece."""
        yield iter((self.data,))


@dataclass(frozen=True)
class File:
    """A blob in a file of any size; it is read in pieces."""

    path: Path

    @contextmanager
    def open(self) -> Iterator[Iterator[bytes]]:
        """The file's bytes, a mebibyte at a time."""
        with self.path.open("rb", buffering=0) as file:
            yield _pieces(file)


@dataclass(frozen=True)
class Remote:
    """A blob in another repository; it passes through without touching the disk."""

    registry: "Registry"
    name: str
    digest: str

    @contextmanager
    def open(self) -> Iterator[Iterator[bytes]]:
        """The blob's bytes, checked against the digest at the end."""
        with self.registry.open_blob(self.name, self.digest) as pieces:
            yield pieces


def _pieces(file: io.RawIOBase | io.FileIO) -> Iterator[bytes]:
    while piece := file.read(1 << 20):
        yield piece


def regrouped(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size`, the last one shorter."""
    pending = bytearray()
    for piece in pieces:
        pending += piece
        while len(pending) >= size:
            yield bytes(pending[:size])
            del pending[:size]
    if pending:
        yield bytes(pending)
