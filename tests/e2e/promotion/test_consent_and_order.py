"""Nothing happens against the order of intent, nor to a Deployment whose owner did not consent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from compression_contract.keys import LABEL_PROMOTABLE
from e2e.promotion.serving_team import ServingTeam, untouched
from support.clients import Clients
from support.releases import Release

pytestmark = pytest.mark.cluster

LONG_AGO = "2000-01-01T00:00:00Z/a-slow-old-job"


def test_a_promotion_older_than_what_is_live_is_superseded(
    team: ServingTeam, live: Release, other: Release, asking: Clients
) -> None:
    before = team.deployment()
    status = team.ended(team.promote(other, "late", orderKey=LONG_AGO))
    asking.until(20, of=live.name)
    assert status["state"] == "Superseded", status
    assert status["journal"] == []
    assert untouched(team.deployment()) == untouched(before)
    assert asking.stop().failures == []


def test_of_two_that_wait_the_older_is_superseded(
    team: ServingTeam, live: Release, good: tuple[Release, ...]
) -> None:
    before = team.deployment()
    team.configure({"paused": True})
    team.until_target(lambda status: status["observedGeneration"] == _generation(team))
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    older = team.promote(good[0], "older", orderKey=f"{now}/1")
    newer = team.promote(good[1], "newest", orderKey=f"{now}/2")
    assert team.ended(older)["state"] == "Superseded"
    waiting = team.until_promotion(newer, lambda status: status.get("waitingFor"))
    assert waiting["status"]["waitingFor"] == ["Pause"]
    team.abort(newer)
    assert team.ended(newer)["state"] == "Aborted"
    team.configure({"paused": False})
    assert untouched(team.deployment()) == untouched(before)


def test_a_deployment_without_the_label_is_never_touched(
    team: ServingTeam, live: Release, other: Release
) -> None:
    name = "not-promotable"
    labels = {"metadata": {"labels": {LABEL_PROMOTABLE: None}}, "spec": {"replicas": 0}}
    team.deploy(live.image, name, Deployment=labels, Service=None)
    before = team.deployment(name)
    promotion = team.promote(other, "without-label", target=name)
    waiting = team.until_promotion(promotion, lambda status: status.get("waitingFor"))
    assert waiting["status"]["waitingFor"] == ["Target"]
    conditions = {each["type"]: each for each in team.target(name)["conditions"]}
    assert conditions["TargetFound"]["status"] == conditions["Ready"]["status"] == "False"
    assert conditions["TargetFound"]["reason"] == "NotOptedIn"
    assert LABEL_PROMOTABLE in conditions["TargetFound"]["message"]
    assert (team.probes(promotion), team.previews()) == ([], [])
    assert untouched(team.deployment(name)) == untouched(before)


def test_a_deployment_without_a_target_is_never_touched(
    team: ServingTeam, live: Release, other: Release
) -> None:
    name = "no-target"
    team.deploy(live.image, name, Deployment={"spec": {"replicas": 0}}, Service=None, ServingTarget=None)
    before = team.deployment(name)
    promotion = team.promote(other, "without-target", target=name)
    # What the operator does later than this promotion was seen proves that it has let this one be.
    assert team.ended(team.promote(other, "later", orderKey=LONG_AGO))["state"] == "Superseded"
    assert (team.probes(promotion), team.previews()) == ([], [])
    assert untouched(team.deployment(name)) == untouched(before)


def _generation(team: ServingTeam) -> int:
    return int(team.servingtarget()["metadata"]["generation"])
