"""Bad releases never leave preview: no user meets them, nothing live is touched, nothing tries them again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from e2e.promotion.conftest import Builder
from e2e.promotion.serving_team import MODEL, NAMESPACE, ServingTeam, image_of, untouched
from support.clients import Clients
from support.releases import Flaw, Release

pytestmark = pytest.mark.cluster


@dataclass(frozen=True)
class Bad:
    """A bad release, and why it is refused; `deadline` shortens the wait for one that never gets ready."""

    version: str
    flaw: Flaw
    reason: str
    deadline: str = ""


CASES = [
    pytest.param(Bad("4.0.0", Flaw(golden_of=(1, 0, 2)), "CrashLoop"), id="the server refuses the model"),
    pytest.param(Bad("4.1.0", Flaw(unpushed=True), "ImagePull"), id="the image is missing"),
    pytest.param(Bad("4.2.0", Flaw("wrong-answers"), "ParityFailed"), id="the answers are wrong"),
    pytest.param(
        Bad("4.3.0", Flaw("never-ready"), "ProgressDeadline", deadline="10s"), id="it never gets ready"
    ),
]


@contextmanager
def progress_deadline(team: ServingTeam, deadline: str) -> Iterator[None]:
    """Another patience of the target while the block runs; an empty one leaves the usual."""
    usual = team.kube.get("servingtarget", MODEL, NAMESPACE)["spec"]["strategy"]["progressDeadline"]
    team.configure({"strategy": {"progressDeadline": deadline or usual}})
    try:
        yield
    finally:
        team.configure({"strategy": {"progressDeadline": usual}})


@pytest.mark.parametrize("case", CASES)
def test_a_bad_release_never_leaves_preview(
    team: ServingTeam, release: Builder, live: Release, asking: Clients, case: Bad
) -> None:
    bad, before = release(case.version, (2, 1, 0), case.flaw), team.deployment()
    name = f"bad-{case.reason.lower()}"
    with progress_deadline(team, case.deadline):
        status = team.ended(team.promote(bad, name))
    again = team.ended(team.promote(bad, f"{name}-again"))
    asking.until(20, of=live.name)
    report = asking.stop()

    assert (status["state"], status["failure"]["reason"]) == ("Failed", case.reason), status
    assert [entry["effect"] for entry in status["journal"]].count("CreatePreview") == 1
    assert "ApplyImage" not in [entry["effect"] for entry in status["journal"]]
    rejected = [(entry["digest"], entry["reason"]) for entry in team.target()["rejected"]]
    assert (bad.digest, case.reason) in rejected
    assert (again["state"], again["failure"]["reason"]) == ("Failed", "Rejected"), again
    assert again["journal"] == []

    assert untouched(team.deployment()) == untouched(before)
    assert image_of(team.deployment()) == live.image
    assert team.previews() == []
    assert report.failures == []
    assert set(report.answers) == {live.name}
    print(f"{status['failure']['message']}; {report.requests} requests, none failed")
