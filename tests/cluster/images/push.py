"""Pushes built images to a registry: what it has is not sent again, layers that images share are sent once.

Speaks through the product's own registry client, so that every test run exercises it.
"""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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

    def reference(self, image: build.Built) -> str:
        """An image there, by its digest."""
        return f"{self.prefix}/{image.name}@{image.digest}"


class Pusher:
    """Sends images to one place. One sender a blob at a time; other repositories then mount it."""

    def __init__(self, target: Target, cache: store.Store) -> None:
        self._target, self._cache = target, cache
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._holders: dict[str, str] = {}

    def step(self, name: str, image: Callable[[], build.Built], after: tuple[str, ...] = ()) -> progress.Step:
        """A step that pushes one image, which `image` gives when the step runs."""
        return progress.Step(step_name(name), lambda report: self._push(image(), report), after)

    def _push(self, image: build.Built, report: progress.Report) -> str:
        repository, uploaded = self._target.repository(image.name).name, 0
        with self._target.connect(image.name) as registry, ThreadPoolExecutor(_PARALLEL_BLOBS) as pool:
            if registry.resolve(repository, tag(image.digest)) == image.digest:
                return f"there already, {image.digest[:19]}"
            sending = [
                pool.submit(self._send, registry, repository, digest, size)
                for digest, size in image.blobs.items()
            ]
            for done, future in enumerate(sending, 1):
                uploaded += future.result()
                report("blobs", done, len(sending))
            # A tag keeps the manifest alive where a registry collects what no tag names.
            registry.put_manifest(
                repository, Manifest(build.MANIFEST_MEDIA_TYPE, image.manifest), tag(image.digest)
            )
        return f"{uploaded / 1e6:.1f} MB sent, {image.digest[:19]}"

    def _send(self, registry: Registry, repository: str, digest: str, size: int) -> int:
        """Make a repository hold a blob; returns how many bytes had to be sent."""
        with self._guard:
            lock = self._locks.setdefault(digest, threading.Lock())
        with lock:
            blob = Descriptor("application/octet-stream", digest, size)
            mount_from = self._holders.get(digest, "")
            outcome = registry.ensure_blob(repository, blob, File(self._cache.blob(digest)), mount_from)
            self._holders.setdefault(digest, repository)
        return size if outcome == "uploaded" else 0


def push(images: Iterable[build.Built], target: Target, cache: store.Store) -> dict[str, str]:
    """Push images, showing progress; returns the reference by digest of each by its name."""
    by_name = {image.name: image for image in images}
    pusher = Pusher(target, cache)
    progress.show([pusher.step(name, lambda image=image: image) for name, image in by_name.items()])  # type: ignore[misc]
    return {name: target.reference(image) for name, image in by_name.items()}


def tag(digest: str) -> str:
    """The tag under which an image of a digest is pushed: as immutable as the digest is."""
    return digest.removeprefix("sha256:")[:12]


def step_name(name: str) -> str:
    """The name of the step that pushes an image."""
    return f"push: {name}"


def login() -> Path:
    """The docker config of whoever runs this."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
