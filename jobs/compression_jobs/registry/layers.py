"""Reproducible layers, and an image made of a base and a few layers more.

Owns tar, gzip and the image config (OCI image specification 1.1). Must not talk to a registry. The
same files give the same bytes every time, under one version of zlib: sorted, owned by root, without times.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Self

from compression_contract.base import canonical_json
from compression_jobs.registry.descriptors import (
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
)
from compression_jobs.registry.errors import Corrupt

EPOCH = "1970-01-01T00:00:00Z"
"""The time that stands in everything made here: an image is its content, not its hour."""

_COMPRESSION = 6
_BASE_DIGEST = "org.opencontainers.image.base.digest"
_BASE_NAME = "org.opencontainers.image.base.name"


@dataclass(frozen=True)
class LayerFile:
    """A file of a layer: its absolute `path` in the image and its bytes, at hand or in a file."""

    path: PurePosixPath
    content: bytes | Path = field(repr=False)
    mode: int = 0o444


@dataclass(frozen=True)
class Layer:
    """A built layer: the compressed `file`, its digest and size, and the digest of the tar inside it."""

    file: Path
    digest: str
    size: int
    diff_id: str

    def descriptor(self, media_type: str) -> Descriptor:
        """What a manifest says of this layer."""
        return Descriptor(media_type, self.digest, self.size)


class _Hashing:
    """A write-only file that hashes and counts what passes through."""

    def __init__(self, target: BinaryIO | gzip.GzipFile) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        self._target.write(data)
        return len(data)

    def flush(self) -> None:
        self._target.flush()

    @property
    def digest(self) -> str:
        return "sha256:" + self._hash.hexdigest()


def build_layer(files: Sequence[LayerFile], target: Path) -> Layer:
    """Write a gzip-compressed layer of `files` and their folders to `target`; memory stays small."""
    with target.open("wb") as raw:
        outer = _Hashing(raw)
        with gzip.GzipFile("", "wb", _COMPRESSION, outer, mtime=0) as packed:
            inner = _Hashing(packed)
            with tarfile.open(fileobj=inner, mode="w|", format=tarfile.USTAR_FORMAT) as tar:  # type: ignore[call-overload]
                for folder in _folders(files):
                    tar.addfile(_header(folder, 0o755, tarfile.DIRTYPE))
                for file in sorted(files, key=lambda file: file.path):
                    _add(tar, file)
    return Layer(target, outer.digest, outer.size, inner.digest)


def _folders(files: Sequence[LayerFile]) -> list[PurePosixPath]:
    return sorted({parent for file in files for parent in file.path.parents} - {PurePosixPath("/")})


def _header(path: PurePosixPath, mode: int, kind: bytes) -> tarfile.TarInfo:
    # TarInfo's own defaults are uid 0, gid 0, no names and time 0.
    header = tarfile.TarInfo(str(path.relative_to("/")))
    header.mode, header.type = mode, kind
    return header


def _add(tar: tarfile.TarFile, file: LayerFile) -> None:
    header = _header(file.path, file.mode, tarfile.REGTYPE)
    if isinstance(file.content, bytes):
        header.size = len(file.content)
        tar.addfile(header, io.BytesIO(file.content))
        return
    with file.content.open("rb") as source:
        header.size = source.seek(0, io.SEEK_END)
        source.seek(0)
        tar.addfile(header, source)


@dataclass(frozen=True)
class BaseImage:
    """The image that layers are appended to: its repository's name for the label, manifest and config."""

    name: str
    manifest: Manifest
    config: dict[str, Any]

    @classmethod
    def read(cls, name: str, manifest: Manifest, config: bytes) -> Self:
        """A base from its config's bytes; raises Corrupt when they are not a JSON object."""
        try:
            document = json.loads(config)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Corrupt(f"the config of {name} is not a JSON object")
        return cls(name, manifest, document)


@dataclass(frozen=True)
class NewImage:
    """An image ready to be pushed: its manifest and its config's bytes."""

    manifest: Manifest
    config: bytes = field(repr=False)


def append_layers(
    base: BaseImage, layers: Sequence[Layer], labels: Mapping[str, str], environment: Mapping[str, str]
) -> NewImage:
    """The image `base` with `layers` on top; the same arguments give the same digest.

    Args:
        base: the image below; its user, entry point and working directory stay.
        layers: new layers, lowest first.
        labels: added to the base's; the base's digest and name are labelled by themselves.
        environment: variables added to the base's, or replacing them.

    Raises:
        Corrupt: the base's config does not fit its manifest.
    """
    config = dict(base.config)
    rootfs = config.get("rootfs")
    if not isinstance(rootfs, dict) or len(rootfs.get("diff_ids", ())) != len(base.manifest.layers):
        raise Corrupt(f"the config of {base.name} does not list the layers of its manifest")
    settings = dict(config.get("config") or {})
    variables = dict(entry.partition("=")[::2] for entry in settings.get("Env") or ())
    settings["Env"] = [f"{name}={value}" for name, value in {**variables, **environment}.items()]
    own = {_BASE_DIGEST: base.manifest.digest, _BASE_NAME: base.name}
    settings["Labels"] = {**(settings.get("Labels") or {}), **labels, **own}
    config["config"], config["created"] = settings, EPOCH
    config["rootfs"] = {**rootfs, "diff_ids": [*rootfs["diff_ids"], *(layer.diff_id for layer in layers)]}
    written = [{"created": EPOCH, "created_by": "compression_jobs package"} for _ in layers]
    config["history"] = [*(config.get("history") or []), *written]
    raw = canonical_json(config)
    docker = base.manifest.media_type == DOCKER_MANIFEST
    layer_type = DOCKER_LAYER_GZIP if docker else OCI_LAYER_GZIP
    stack = [*base.manifest.layers, *(layer.descriptor(layer_type) for layer in layers)]
    manifest = Manifest.make(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
            "config": Descriptor.of(raw, base.manifest.config.media_type).document(),
            "layers": [layer.document() for layer in stack],
        }
    )
    return NewImage(manifest, raw)
