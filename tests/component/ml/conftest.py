"""What tests of training share."""

from __future__ import annotations

import pytest

from support.seaweed import SeaweedFS


@pytest.fixture(scope="session")
def world(object_store: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> object:
    """A dataset and teachers that were never trained, in a bucket: `support.teaching.World`."""
    from support.teaching import World  # noqa: PLC0415 - loads Paddle

    bucket = object_store.bucket("teaching")
    return World.make(object_store, bucket, tmp_path_factory.mktemp("teaching"))
