"""How a stage reaches a registry: the mounted Secret, the trusted certificates, errors for conditions.

Owns the step from the registry client's errors to a stage's. Must not know what is pushed or read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from compression_jobs import errors, registry
from compression_jobs.context import StageContext
from compression_jobs.registry import DockerConfig, Registry, Repository

CONFIG_KEY: Final = ".dockerconfigjson"
"""The key of a Secret of type kubernetes.io/dockerconfigjson, and so the mounted file's name."""


def connect(context: StageContext[Any], repository: Repository) -> Registry:
    """A client for a repository's registry, with the tenant's account; nothing is sent yet.

    Raises:
        Misconfigured: RegistrySecretUnusable.
    """
    bundle = context.ca_bundle.read_text(encoding="utf-8") if context.ca_bundle else ""
    return Registry.connect(repository, docker_config(context), bundle)


def docker_config(context: StageContext[Any]) -> DockerConfig:
    """The mounted accounts; none where no Secret is mounted.

    Raises:
        Misconfigured: RegistrySecretUnusable.
    """
    try:
        return DockerConfig.read(context.registry_secret / CONFIG_KEY)
    except (ValueError, OSError) as error:
        raise errors.Misconfigured(
            "RegistrySecretUnusable",
            f"The registry Secret cannot be used: {error}; make it of type kubernetes.io/dockerconfigjson.",
        ) from None


@contextmanager
def explained(doing: str, *, denied: str, absent: str) -> Iterator[None]:
    """Turn the registry's errors into a stage's.

    Args:
        doing: the start of the sentence, as in "pushing the image".
        denied: the reason when the registry says no.
        absent: the reason when it lacks something that must be there.
    """
    try:
        yield
    except registry.Denied as error:
        raise errors.Denied(denied, _sentence(doing, error)) from error
    except registry.NotFound as error:
        raise errors.NotFound(absent, _sentence(doing, error)) from error
    except registry.Unavailable as error:
        raise errors.Unavailable("RegistryUnavailable", _sentence(doing, error)) from error
    except registry.Corrupt as error:
        raise errors.TransferFailed("RegistryContentCorrupt", _sentence(doing, error)) from error


def _sentence(doing: str, error: registry.RegistryError) -> str:
    return f"Failed {doing}: {error}."
