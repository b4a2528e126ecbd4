"""Pushes built images to a registry: what it has is not sent again, layers that images share are sent once.

Speaks through the product's own registry client, so that every test run exercises it.
"""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cluster import progress
from cluster.images import build, store
from compression_jobs.registry import Descriptor, DockerConfig, File, Manifest, Registry, Repository

_PARALLEL_BLOBS = 4


@dataclass(frozen=True)
class Target:
    """A place in a registry: `prefix` is host[:port][/path], `ca_bundle` PEM text to trust."""

    prefix: str
    config: DockerConfig
    ca_bundle: str = ""

    def repository(self, name: str) -> Repository:
        """The repository of an image there."""
        return Repository.parse(f"{self.prefix}/{name}")

    def connect(self, name: str) -> Registry:
        """A client for the repository of an image."""
        return Registry.connect(self.repository(name), self.config, self.ca_bundle)


def push(images: Iterable[build.Built], target: Target, cache: store.Store) -> dict[str, str]:
    """Push images, showing progress; returns the reference by digest of each by its name."""
    images = list(images)
    sent = _Sent()
    progress.show([_step(image, target, cache, sent) for image in images])
    return {image.name: f"{target.prefix}/{image.name}@{image.digest}" for image in images}


def tag(digest: str) -> str:
    """The tag under which an image of a digest is pushed: as immutable as the digest is."""
    return digest.removeprefix("sha256:")[:12]


class _Sent:
    """Which repository holds a blob already: others mount it from there. One sender a blob at a time."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._holders: dict[str, str] = {}

    def lock(self, digest: str) -> threading.Lock:
        """The lock under which a blob is sent."""
        with self._guard:
            return self._locks.setdefault(digest, threading.Lock())

    def holder(self, digest: str) -> str | None:
        """A repository that has the blob, if one is known."""
        return self._holders.get(digest)

    def note(self, digest: str, repository: str) -> None:
        """Remember that a repository has the blob."""
        self._holders.setdefault(digest, repository)


def _step(image: build.Built, target: Target, cache: store.Store, sent: _Sent) -> progress.Step:
    repository = target.repository(image.name)
    sizes: Mapping[str, int] = image.blobs

    def send(registry: Registry, digest: str) -> int:
        blob = Descriptor("application/octet-stream", digest, sizes[digest])
        with sent.lock(digest):
            outcome = registry.ensure_blob(
                repository.name, blob, File(cache.blob(digest)), mount_from=sent.holder(digest) or ""
            )
            sent.note(digest, repository.name)
        return sizes[digest] if outcome == "uploaded" else 0

    def action(report: progress.Report) -> str:
        uploaded = 0
        with target.connect(image.name) as registry, ThreadPoolExecutor(_PARALLEL_BLOBS) as pool:
            if registry.resolve(repository.name, tag(image.digest)) == image.digest:
                return f"there already, {image.digest[:19]}"
            for done, count in enumerate(pool.map(lambda digest: send(registry, digest), sizes), 1):
                uploaded += count
                report("blobs", done, len(sizes))
            # A tag keeps the manifest alive where a registry collects what no tag names.
            registry.put_manifest(
                repository.name, Manifest(build.MANIFEST_MEDIA_TYPE, image.manifest), tag(image.digest)
            )
        return f"{uploaded / 1e6:.1f} MB sent, {image.digest[:19]}"

    return progress.Step(f"push: {image.name}", action)
