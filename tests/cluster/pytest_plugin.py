"""Fixtures: a control plane of one's own for tests of the API, and the running cluster for the others.

Load it with `pytest_plugins = ["cluster.pytest_plugin"]` in a conftest.py.
"""

import os
from collections.abc import Iterator

import pytest

from cluster import instance as instances
from cluster import lifecycle
from cluster.client import Cluster
from cluster.errors import ClusterError, MissingRequirementError

_CHOSEN = "COMPRESSION_OPERATOR_API_INSTANCE"


@pytest.fixture(scope="session")
def api_server() -> Iterator[Cluster]:
    """A real API server with etcd and the controller manager, without a node, audited.

    One for each session, taken down after it. `COMPRESSION_OPERATOR_API_INSTANCE=NAME` takes the instance of
    that name instead, brings it up when it is not, and leaves it running: for many short runs in a row.
    """
    chosen = os.environ.get(_CHOSEN)
    lifecycle.sweep()
    try:
        instance = instances.claim(
            chosen or f"api-{os.getpid()}", control_plane_only=True, audit=True, owned=not chosen
        )
        lifecycle.up(instance)
    except MissingRequirementError as error:
        pytest.fail(str(error), pytrace=False)
    try:
        yield Cluster(instance.name)
    finally:
        if not chosen:
            lifecycle.down(instance)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The running cluster (`COMPRESSION_OPERATOR_CLUSTER`, or the default one)."""
    name = os.environ.get("COMPRESSION_OPERATOR_CLUSTER", instances.DEFAULT)
    try:
        found = Cluster(name)
        running = lifecycle.is_up(found.instance)
    except ClusterError as error:
        pytest.fail(str(error), pytrace=False)
    if not running:
        pytest.fail(f"the cluster {name} is not up; run `make cluster-up`", pytrace=False)
    return found
