"""A serving team on the real cluster, three good releases, and the first of them live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from rich.console import Console

from cluster.client import Cluster
from cluster.errors import ClusterError
from demo import platform
from demo.kube import Kube
from e2e.promotion.serving_team import MODEL, ServingTeam
from support import clients
from support.clients import Clients
from support.load import Report
from support.releases import GOOD, Flaw, Place, Release, build_release

Builder = Callable[..., Release]


@dataclass(frozen=True)
class FirstRelease:
    """How the first release went live: its Promotion, the Deployment around it, what clients met."""

    release: Release
    status: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    report: Report


@pytest.fixture(scope="session")
def one_node() -> Cluster:
    """The one-node cluster with the operator; what runs already is left as it is."""
    try:
        cluster = Cluster()
        operator = Kube(cluster.kubeconfig).get("deployment", platform.RELEASE, platform.NAMESPACE)
    except ClusterError:
        operator = None
    if not (operator or {}).get("status", {}).get("readyReplicas"):
        return platform.ready(Console()).node
    return cluster


@pytest.fixture(scope="session")
def team(one_node: Cluster) -> Iterator[ServingTeam]:
    """The team, whose namespace holds nothing of these tests before and after."""
    found = ServingTeam.of(one_node)
    yield found
    found.clean()


@pytest.fixture(scope="session")
def place(team: ServingTeam, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where releases go."""
    return team.place(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def release(team: ServingTeam, place: Place) -> Builder:
    """Makes a release with its ModelVersion: `release("1.0.0", answers=(0, 1, 2), flaw=Flaw(…))`."""

    def make(version: str, answers: tuple[int, ...], flaw: Flaw = GOOD) -> Release:
        made = build_release(place, MODEL, version, answers, flaw)
        team.import_release(made)
        return made

    return make


@pytest.fixture(scope="session")
def good(release: Builder) -> tuple[Release, ...]:
    """Three good releases that answer differently."""
    return release("1.0.0", (0, 1, 2)), release("2.0.0", (1, 2, 0)), release("3.0.0", (2, 0, 1))


@pytest.fixture(scope="session")
def first(
    team: ServingTeam, place: Place, good: tuple[Release, ...], tmp_path_factory: pytest.TempPathFactory
) -> FirstRelease:
    """The first release after its promotion to a Deployment that ran the bare serving base."""
    team.deploy(str(place.base))
    before = team.deployment()
    asked = clients.question(team.url(), good)
    with clients.asking(team.cluster, asked, tmp_path_factory.mktemp("clients")) as asking:
        status = team.ended(team.promote(good[0], "first"))
        assert status["state"] == "Succeeded", status
        asking.until(20)
        report = asking.stop()
    return FirstRelease(good[0], status, before, team.deployment(), report)


@pytest.fixture
def live(team: ServingTeam, good: tuple[Release, ...], first: FirstRelease) -> Release:
    """The release that is live as a test begins; each test leaves a good one."""
    image = team.target()["lastGood"]["image"]
    return next(each for each in good if each.image == image)


@pytest.fixture
def other(good: tuple[Release, ...], live: Release) -> Release:
    """A good release that is not live."""
    return next(each for each in good if each is not live)


@pytest.fixture
def asking(
    team: ServingTeam, good: tuple[Release, ...], live: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clients]:
    """Clients that ask through the Service for as long as the test lasts; the live release answers."""
    asked = clients.question(team.url(), good)
    with clients.asking(team.cluster, asked, tmp_path_factory.mktemp("clients")) as found:
        found.until(20, of=live.name)
        yield found
