import os
import subprocess
import sys

import pytest

from cluster import instance as instances
from cluster import processes
from cluster.errors import ClusterError
from cluster.instance import Instance


@pytest.fixture(autouse=True)
def _states(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPRESSION_OPERATOR_STATE", str(tmp_path))
    monkeypatch.setattr(instances, "_LONGEST_STATE_PATH", 4096)


def claim(name: str, **wanted) -> Instance:
    return instances.claim(name, **{"control_plane_only": True, "audit": False} | wanted)


def test_instances_share_nothing_that_must_be_their_own() -> None:
    one, two = Instance("default"), Instance("api", index=1)
    for attribute in (
        "state",
        "node_address",
        "host_address",
        "host_interface",
        "namespace",
        "cgroup",
        "url",
    ):
        assert getattr(one, attribute) != getattr(two, attribute), attribute


def test_a_claim_is_kept_and_read_back() -> None:
    claimed = claim("api")
    assert instances.load("api") == claimed
    assert claim("api") == claimed


def test_each_claim_gets_a_network_of_its_own_and_the_default_always_the_first() -> None:
    found = [claim(name).index for name in ("a", "b", "default", "c")]
    assert found[2] == 0
    assert len(set(found)) == 4


def test_what_is_wanted_of_an_instance_may_change_but_not_its_kind() -> None:
    index = claim("api").index
    assert claim("api", audit=True) == Instance("api", index, control_plane_only=True, audit=True)
    with pytest.raises(ClusterError, match="a control plane alone"):
        claim("api", control_plane_only=False)


@pytest.mark.parametrize("name", ["", "Upper", "-a", "a-", "a/b", "..", "a" * 33, "ä"])
def test_names_that_fit_no_namespace_are_refused(name) -> None:
    with pytest.raises(ClusterError, match="no name for a cluster"):
        claim(name)
    assert instances.every() == []


def test_a_folder_too_deep_for_sockets_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(instances, "_LONGEST_STATE_PATH", 4)
    with pytest.raises(ClusterError, match="COMPRESSION_OPERATOR_STATE"):
        claim("api")


def test_only_instances_whose_owner_is_gone_are_abandoned(monkeypatch) -> None:
    claim("kept")
    claim("mine", owned=True)
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    ) as other:
        identity = processes.identify(other.pid)
        monkeypatch.setattr(instances, "identify", lambda _: identity)
        claim("theirs", owned=True)
    assert [found.name for found in instances.abandoned()] == ["theirs"]
    assert instances.load("mine").owner.pid == os.getpid()
