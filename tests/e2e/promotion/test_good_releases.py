"""Good releases go live: the Deployment changes in nothing but its image, and no request fails."""

from __future__ import annotations

import pytest

from e2e.promotion.assertions import assert_live
from e2e.promotion.conftest import FirstRelease
from e2e.promotion.serving_team import ServingTeam, written_by_others
from support.clients import Clients
from support.releases import Release

pytestmark = pytest.mark.cluster


def test_a_first_release_goes_live_on_a_deployment_that_ran_the_bare_base(
    team: ServingTeam, first: FirstRelease
) -> None:
    assert first.status["state"] == "Succeeded", first.status
    assert written_by_others(first.after) == written_by_others(first.before)
    assert first.report.failures == []
    assert set(first.report.answers) == {first.release.name}
    print(f"{first.report.requests} requests at {first.report.rate:.1f}/s, none failed")


def test_a_newer_release_replaces_it_and_no_request_fails(
    team: ServingTeam, live: Release, other: Release, asking: Clients
) -> None:
    before = team.deployment()
    status = team.ended(team.promote(other, "newer"))
    asking.until(20, of=other.name)
    report = asking.stop()
    assert status["state"] == "Succeeded", status
    assert_live(team, other)
    assert team.target()["previousGood"]["image"] == live.image
    assert written_by_others(team.deployment()) == written_by_others(before)
    assert team.previews() == []
    assert team.probes("newer") == ["preview", "settle"]
    assert report.failures == []
    assert set(report.answers) == {live.name, other.name}
    print(f"{report.requests} requests at {report.rate:.1f}/s, slowest {report.longest:.2f} s, none failed")
