"""Prints the digests of the Dockerfiles' base images as they are now, as commands for `docker build`.

    python -m cluster.images.pin

It needs a way to the public registries, which making the images without a container engine does not.
"""

import argparse
import sys
from collections.abc import Mapping

from compression_jobs.registry import DockerConfig, Registry, RegistryError, Repository

_PYTHON = ("docker.io/library/python", "3.11-slim-bookworm")
_PADDLE = ("docker.io/paddlepaddle/paddle", "2.6.2")
_UV = ("ghcr.io/astral-sh/uv", "latest")
BASES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "operator/Dockerfile": {"BASE": _PYTHON},
    "jobs/Dockerfile.evaluator": {"BASE": _PYTHON},
    "jobs/Dockerfile.evaluator-openvino": {"BASE": _PYTHON},
    "jobs/Dockerfile.tools": {"BASE": _PYTHON},
    "jobs/Dockerfile.serving": {"BASE": _PYTHON},
    "jobs/Dockerfile.runner": {"BASE": _PADDLE, "UV": _UV},
}
"""The repository and tag that each Dockerfile's arguments are pinned from."""

# Docker's own name for its registry is not the host that speaks the API.
_HOSTS = {"docker.io": "registry-1.docker.io"}


def pin(image: str, tag: str, ca_bundle: str = "", config: DockerConfig | None = None) -> str:
    """The reference by digest that a tag has now; without a config the registry is asked anonymously.

    Raises:
        RegistryError: the registry cannot be reached or has no such tag.
    """
    host, _, name = image.partition("/")
    repository = Repository.parse(f"{_HOSTS.get(host, host)}/{name}")
    with Registry.connect(repository, config or DockerConfig(), ca_bundle) as registry:
        return f"{image}@{registry.manifest(repository.name, tag).digest}"


def main() -> int:
    """Print one `docker build` for each Dockerfile; returns the exit status."""
    argparse.ArgumentParser(prog="cluster.images.pin", description=__doc__).parse_args()
    try:
        pinned = {
            base: pin(*base) for base in sorted({base for bases in BASES.values() for base in bases.values()})
        }
    except RegistryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for file, bases in BASES.items():
        arguments = " ".join(f"--build-arg {name}={pinned[base]}" for name, base in bases.items())
        print(f"docker build -f {file} {arguments} .")
    return 0


if __name__ == "__main__":
    sys.exit(main())
