"""Descriptors and manifests as values (OCI image specification 1.1, Docker image manifest v2 schema 2).

Owns media types and how a manifest is read. Must not talk to anybody.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Self

from compression_contract.base import canonical_json, digest_of
from compression_jobs.registry.errors import Corrupt
from compression_jobs.registry.reference import is_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
EMPTY_JSON = b"{}"
"""The content of the empty descriptor (OCI image specification 1.1, guidance for empty descriptors)."""


@dataclass(frozen=True)
class Descriptor:
    """A typed, sized reference to content."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] = field(default_factory=dict)
    platform: dict[str, str] = field(default_factory=dict)
    artifact_type: str = ""

    @classmethod
    def of(cls, data: bytes, media_type: str) -> Self:
        """The descriptor of content at hand."""
        return cls(media_type, digest_of(data), len(data))

    @classmethod
    def read(cls, document: Any) -> Self:
        """Read a descriptor from a manifest; raises Corrupt when it is not one."""
        try:
            digest, size = str(document["digest"]), int(document["size"])
            read = cls(
                str(document.get("mediaType", "")),
                digest,
                size,
                dict(document.get("annotations") or {}),
                {
                    key: value
                    for key, value in (document.get("platform") or {}).items()
                    if isinstance(value, str)
                },
                str(document.get("artifactType", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Corrupt("a manifest holds a descriptor without digest or size") from None
        if not is_digest(digest) or size < 0:
            raise Corrupt(f"a manifest holds a descriptor with digest {digest[:80]!r} and size {size}")
        return read

    def document(self) -> dict[str, Any]:
        """The descriptor as it stands in a manifest."""
        found: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            found["annotations"] = self.annotations
        if self.platform:
            found["platform"] = self.platform
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        return found


@dataclass(frozen=True)
class Manifest:
    """A manifest or index as the registry holds it: its bytes decide its digest."""

    media_type: str
    raw: bytes

    @classmethod
    def make(cls, document: dict[str, Any]) -> Self:
        """A manifest from a document that names its own mediaType."""
        return cls(str(document["mediaType"]), canonical_json(document))

    @property
    def digest(self) -> str:
        """The sha256 digest of the bytes."""
        return digest_of(self.raw)

    @property
    def descriptor(self) -> Descriptor:
        """What an index says of this manifest."""
        return Descriptor(self.media_type, self.digest, len(self.raw))

    @property
    def document(self) -> dict[str, Any]:
        """The parsed JSON; raises Corrupt when it is not an object."""
        try:
            parsed = json.loads(self.raw)
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise Corrupt(f"manifest {self.digest} is not a JSON object")
        return parsed

    @property
    def is_index(self) -> bool:
        """Whether this lists manifests for several platforms."""
        return self.media_type in INDEXES

    @property
    def config(self) -> Descriptor:
        """An image manifest's config."""
        return Descriptor.read(self.document.get("config"))

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """An image manifest's layers, lowest first; raises Corrupt when there is no list."""
        layers = self.document.get("layers")
        if not isinstance(layers, list):
            raise Corrupt(f"manifest {self.digest} has no list of layers")
        return tuple(Descriptor.read(layer) for layer in layers)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """An index's manifests; raises Corrupt when there is no list."""
        manifests = self.document.get("manifests")
        if not isinstance(manifests, list):
            raise Corrupt(f"index {self.digest} has no list of manifests")
        return tuple(Descriptor.read(child) for child in manifests)
