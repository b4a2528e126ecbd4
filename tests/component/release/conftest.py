"""Real registries for the tests of this folder."""

from collections.abc import Iterator

import pytest

from component.release import registry_process
from component.release.registry_process import RunningRegistry


@pytest.fixture(scope="session")
def password_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry with TLS that wants a password."""
    with registry_process.registry(tmp_path_factory.mktemp("registry")) as running:
        yield running
