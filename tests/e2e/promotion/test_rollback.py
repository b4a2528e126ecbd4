"""A release that turns bad after it went live is taken back, and no request fails on the way."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from e2e.promotion.assertions import assert_live
from e2e.promotion.conftest import Builder
from e2e.promotion.serving_team import ServingTeam
from support import clients
from support.load import WRONG
from support.releases import Flaw, Release

pytestmark = pytest.mark.cluster

TURNS_BAD = Flaw("turns-bad", {"SERVING_FAULT_SECONDS": "4"})


def test_a_release_that_turns_bad_while_it_settles_is_rolled_back(
    team: ServingTeam, release: Builder, live: Release, good: tuple[Release, ...], tmp_path: Path
) -> None:
    bad, name = release("5.0.0", (0, 2, 1), TURNS_BAD), "turns-bad"
    before = team.target()["lastGood"]
    with clients.asking(team.cluster, clients.question(team.url(), (*good, bad)), tmp_path) as asking:
        asking.until(20, of=live.name)
        status = team.ended(team.promote(bad, name))
        team.until_only(live)
        met = asking.report()
        asking.until(20, of=live.name)
        report = asking.stop()

    assert (status["state"], status["failure"]["reason"]) == ("RolledBack", "SmokeFailed"), status
    assert [entry["effect"] for entry in status["journal"]].count("RollBack") == 1
    target = team.target()
    assert target["lastGood"] == before
    assert (bad.digest, "SmokeFailed") in [(each["digest"], each["reason"]) for each in target["rejected"]]
    assert target["history"][-1]["result"] == "RolledBack"
    assert_live(team, live)

    assert report.failures == []
    assert report.answers[bad.name], "clients never met the release while it was good"
    assert report.answers[WRONG], "clients never met the release when it was bad"
    assert report.answers[WRONG] == met.answers[WRONG], "somebody still met it after its pods were gone"
    assert report.first_wrong is not None
    assert report.last_wrong is not None
    ended = datetime.fromisoformat(status["completionTime"]).timestamp()
    print(
        f"first wrong answer → rolled back: {ended - report.first_wrong:.1f} s, → last wrong answer: "
        f"{report.last_wrong - report.first_wrong:.1f} s; {report.answers[WRONG]} wrong answers, "
        f"{report.requests} requests, none failed; {status['failure']['message']}"
    )
