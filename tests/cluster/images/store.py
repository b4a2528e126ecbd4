"""The cache of layers and images, an OCI image layout: <https://github.com/opencontainers/image-spec>.

Blobs are named by their digest; a layer is found again by the key of what it was made from.
Must not know: how a layer is made.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, cast

from cluster import paths
from cluster.images import tarball

LAYER_MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_GZIP_LEVEL = 1  # a layer travels over the loopback: the processor is scarcer than the wire
_GZIP_WINDOW = 31  # zlib's way to say gzip, whose header then has no time and no name


@dataclass(frozen=True)
class Layer:
    """A stored layer: the digest of its tar (`diff_id`), the digest and the size of its compressed blob."""

    diff_id: str
    digest: str
    size: int


class _Compressor:
    """A file to write a tar into; it compresses and takes both digests on the way."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._tar, self._blob = hashlib.sha256(), hashlib.sha256()
        self._gzip = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self._size = 0

    def write(self, data: bytes) -> int:
        self._tar.update(data)
        self._put(self._gzip.compress(data))
        return len(data)

    def finish(self) -> Layer:
        self._put(self._gzip.flush())
        return Layer(f"sha256:{self._tar.hexdigest()}", f"sha256:{self._blob.hexdigest()}", self._size)

    def _put(self, data: bytes) -> None:
        self._blob.update(data)
        self._size += len(data)
        self._out.write(data)


@dataclass(frozen=True)
class Store:
    """An OCI image layout in a folder."""

    root: Path

    def blob(self, digest: str) -> Path:
        """Where a blob lies, whether it does or not."""
        algorithm, value = digest.split(":")
        return self.root / "blobs" / algorithm / value

    def layer(self, key: str, make: Callable[[], Iterable[tarball.Entry]]) -> tuple[Layer, bool]:
        """The layer of a key, and whether it had to be made."""
        record = self.root / "layers" / f"{key}.json"
        with paths.lock(record.with_suffix(".lock")):
            known = self.known(key)
            if known is not None:
                return known, False
            layer = self.add_layer(make())
            paths.write(record, json.dumps(asdict(layer)))
            return layer, True

    def known(self, key: str) -> Layer | None:
        """The layer of a key, if the cache has all of it."""
        record = self.root / "layers" / f"{key}.json"
        if not record.exists():
            return None
        layer = Layer(**json.loads(record.read_text()))
        blob = self.blob(layer.digest)
        return layer if blob.exists() and blob.stat().st_size == layer.size else None

    def add_layer(self, entries: Iterable[tarball.Entry]) -> Layer:
        """Pack, compress and store entries."""
        folder = self.root / "blobs" / "sha256"
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".part-{os.getpid()}-{id(entries)}"
        with part.open("wb") as out:
            compressor = _Compressor(out)
            tarball.write(entries, cast("BinaryIO", compressor))
            layer = compressor.finish()
        part.replace(self.blob(layer.digest))
        return layer

    def add_json(self, document: object) -> tuple[str, bytes]:
        """Store a document in canonical form; returns its digest and its bytes."""
        data = canonical(document)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        path = self.blob(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            paths.write(path, data.decode())
        return digest, data


def canonical(document: object) -> bytes:
    """JSON with sorted keys and no spaces, so that equal documents have equal digests."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def key(*parts: str | bytes) -> str:
    """A cache key of everything that a layer is made from; parts cannot run into each other."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:32]


def source_key(modules: Sequence[str]) -> bytes:
    """What the code that makes a layer is now, as part of that layer's key."""
    folder = Path(__file__).parent
    return b"".join((folder / name).read_bytes() for name in ("tarball.py", *modules))


def default() -> Store:
    """The store in the cache folder."""
    return Store(paths.cache() / "images")
