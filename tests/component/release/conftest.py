"""Real registries and a real S3 for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from component.release import registry_process
from component.release.registry_process import RunningRegistry
from component.release.world import BUCKET, World
from support import seaweed
from support.seaweed import SeaweedFS


@pytest.fixture(scope="session")
def password_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry with TLS that wants a password."""
    with registry_process.registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """An S3 with credentials."""
    with seaweed.running(tmp_path_factory.mktemp("s3")) as running:
        running.bucket(BUCKET)
        yield running


@pytest.fixture
def world(object_store: SeaweedFS, password_registry: RunningRegistry, tmp_path: Path) -> World:
    """A tenant with both."""
    return World(object_store, password_registry, tmp_path)
