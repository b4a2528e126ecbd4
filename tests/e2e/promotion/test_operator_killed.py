"""The operator may die at any time: a promotion ends as it would have, with the same objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from compression_contract.keys import LABEL_PROMOTION, LABEL_ROLE
from e2e.promotion.assertions import assert_live
from e2e.promotion.serving_team import NAMESPACE, REVISION, ServingTeam
from support import operator_pod, watching
from support.clients import Clients
from support.releases import Release

pytestmark = pytest.mark.cluster


@pytest.fixture
def afterwards(team: ServingTeam) -> Iterator[None]:
    """Leave an operator that works."""
    yield
    operator_pod.until_ready(team.kube)


@pytest.mark.usefixtures("afterwards")
def test_killed_in_each_phase_a_promotion_still_succeeds_once(
    team: ServingTeam, live: Release, other: Release, asking: Clients, tmp_path: Path
) -> None:
    before, name = team.deployment(), "operator-killed"
    selector = f"{LABEL_ROLE}=preview,{LABEL_PROMOTION}={name}"
    with watching.recorded(team.kube, "deployments", NAMESPACE, selector, tmp_path / "previews") as previews:
        team.promote(other, name)
        team.until_state(name, "Preflight")
        operator_pod.kill_process(team.cluster, team.kube)
        team.until_state(name, "Shifting")
        operator_pod.delete_pod(team.kube)
        team.until_state(name, "Settling")
        operator_pod.kill_process(team.cluster, team.kube)
        status = team.ended(name)
        asking.until(20, of=other.name)
        report = asking.stop()
        seen = previews()

    assert status["state"] == "Succeeded", status
    assert_live(team, other)
    assert len(seen) == 1
    assert team.previews() == []
    assert team.probes(name) == ["preview", "settle"]
    effects = Counter(entry["effect"] for entry in status["journal"])
    assert effects == Counter(["CreatePreview", "ProbePreview", "ApplyImage", "Settle"])
    assert revision(team.deployment()) == revision(before) + 1
    assert report.failures == []
    assert set(report.answers) == {live.name, other.name}


def revision(deployment: Mapping[str, Any]) -> int:
    """How often the pod template of a Deployment has changed."""
    return int(deployment["metadata"]["annotations"][REVISION])
