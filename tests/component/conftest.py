"""Real neighbours that component tests share, each started when a test first asks for it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from support import seaweed
from support.seaweed import SeaweedFS

_counter = itertools.count(1)


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A real S3 with real credentials."""
    with seaweed.running(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture
def bucket(object_store: SeaweedFS) -> str:
    """The address of a bucket that no other test uses: ``s3://test-…``."""
    return object_store.bucket(f"test-{next(_counter)}")
