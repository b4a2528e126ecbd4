"""A Rolling promotion from wish to end: what is written, in which order, and what turns it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_contract.base import digest_of
from unit.core.promotion.world import (
    OLD,
    REPOSITORY,
    START,
    World,
    live,
    template,
    until_settling,
    until_shifting,
)

NEW = f"{REPOSITORY}@{digest_of(b'new')}"


def test_a_good_release_goes_from_preview_over_the_rollout_to_last_good():
    world = World().settle()
    assert world.status.last_good is not None
    assert world.status.last_good.image == OLD
    until_settling(world).probe_ends().settle()
    assert world.state() == "Succeeded"
    assert world.image == NEW
    assert world.status.last_good.image == NEW
    assert world.status.previous_good is not None
    assert world.status.previous_good.image == OLD
    assert world.status.active is None
    assert [entry.result for entry in world.status.history] == ["Succeeded"]
    effects = [item for item in world.writes if not item.startswith("status")]
    assert effects == [
        "create preview",
        "create probe",
        f"image {NEW}",
        next(item for item in effects if item.startswith("delete")),
        "create probe",
    ]


def test_the_lock_is_written_before_the_first_effect():
    world = World().settle()
    world.writes.clear()
    world.ask().settle()
    assert world.writes.index("status of target") < world.writes.index("create preview")
    assert world.status.active is not None
    assert world.status.active.uid == "uid-fmnist-new"


BAD_PREVIEWS = {
    "its image is missing": ({"waiting_reason": "ImagePullBackOff"}, 30, "ImagePull"),
    "its container cannot be made": ({"waiting_reason": "CreateContainerConfigError"}, 30, "CannotStart"),
    "it crashes again and again": ({"ready": False, "restarts": 2}, 0, "CrashLoop"),
    "it never gets ready": ({"ready": False}, 601, "ProgressDeadline"),
    "it runs another image": ({"image_id": "sha256:somethingelse"}, 0, "WrongImage"),
}


@pytest.mark.parametrize(("pod", "seconds", "reason"), BAD_PREVIEWS.values(), ids=BAD_PREVIEWS)
def test_a_bad_preview_ends_the_promotion_and_touches_nobody(pod, seconds, reason):
    world = World().settle().ask().settle().preview_runs(**pod).wait(seconds).settle()
    assert (world.state(), world.reason()) == ("Failed", reason)
    assert world.image == OLD
    assert not [item for item in world.writes if item.startswith("image")]
    assert world.promotions["fmnist-new"].preview is None
    assert [entry.reason for entry in world.status.rejected] == [reason]


def test_a_pod_that_waits_for_its_image_for_a_moment_is_given_time():
    world = World().ask().settle().preview_runs(waiting_reason="ErrImagePull").wait(5).settle()
    assert world.state() == "Preflight"


def test_pods_on_their_way_out_are_no_sign_of_trouble():
    world = World().settle().ask().settle().preview_runs(restarts=5, deleting=True, ready=False).settle()
    assert world.state() == "Preflight"


def test_wrong_golden_answers_never_leave_the_preview():
    world = World().ask().settle().preview_runs().settle().probe_ends("WrongAnswers").settle()
    assert (world.state(), world.reason(), world.image) == ("Failed", "ParityFailed", OLD)


def test_a_probe_that_breaks_is_repeated_and_then_given_up_without_blaming_the_release():
    world = World().ask().settle().preview_runs().settle()
    for _ in range(4):
        assert world.state() == "Preflight"
        world.probe_ends(message="not json").settle()
    assert world.state() == "Failed"
    assert len(world.promotions["fmnist-new"].probes) == 4
    assert world.status.rejected == ()
    assert world.image == OLD


BAD_ROLLOUTS = {
    "a pod crashes": ({"ready": False, "restarts": 2}, 0, "CrashLoop"),
    "it takes too long": ({"ready": False}, 601, "ProgressDeadline"),
}


@pytest.mark.parametrize(("pod", "seconds", "reason"), BAD_ROLLOUTS.values(), ids=BAD_ROLLOUTS)
def test_a_bad_rollout_goes_back_to_the_last_good_image(pod, seconds, reason):
    world = until_shifting(World().settle()).rollout_ends(**pod).wait(seconds).settle()
    assert (world.state(), world.image) == ("RollingBack", OLD)
    world.rollout_ends().settle()
    assert (world.state(), world.reason()) == ("RolledBack", reason)
    assert world.status.last_good is not None
    assert world.status.last_good.image == OLD


def test_the_deployments_own_progress_deadline_turns_it_back():
    world = until_shifting(World().settle()).wait(60)
    world.see(progress_deadline_exceeded=world.now).settle()
    assert (world.state(), world.image) == ("RollingBack", OLD)


def test_a_progress_deadline_that_passed_before_the_rollout_is_no_sign():
    """A Deployment of the bare base is never ready, and its controller has given it up long ago."""
    world = World().see(progress_deadline_exceeded=START - timedelta(minutes=5)).settle()
    assert until_shifting(world).state() == "Shifting"
    assert world.rollout_ends().settle().state() == "Settling"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (lambda world: world.probe_ends("WrongAnswers"), "SmokeFailed"),
        (lambda world: world.rollout_ends(ready=False, restarts=3), "CrashLoop"),
        (lambda world: world.rollout_ends(ready=False), "NotAvailable"),
    ],
    ids=["answers wrongly", "crashes", "has no ready pod"],
)
def test_a_release_that_turns_bad_while_it_settles_is_rolled_back(event, reason):
    world = event(until_settling(World().settle())).settle()
    assert (world.state(), world.image) == ("RollingBack", OLD)
    world.rollout_ends().settle()
    assert (world.state(), world.reason()) == ("RolledBack", reason)


def test_a_settle_probe_that_keeps_breaking_turns_back_as_nobody_vouches_for_the_release():
    world = until_settling(World().settle())
    for _ in range(4):
        world.probe_ends(message="").settle()
    assert world.state() == "RollingBack"


@pytest.mark.parametrize("gone", ["deleted", "on its way out"])
def test_a_pod_that_is_drained_while_it_settles_says_nothing_and_the_others_are_asked_again(gone):
    world = until_settling(World().settle())
    assert world.deployment is not None
    first, second = world.deployment.pods
    world.see(pods=(second,) if gone == "deleted" else (replace(first, deleting=True), second))
    world.probe_ends("Unreachable", pods=(first.name,)).settle()
    assert world.state() == "Settling"
    probes = world.promotions["fmnist-new"].probes
    assert len(probes) == 3
    assert world.questioned[probes[-1].name] == (second.name,)
    world.probe_ends().settle()
    assert world.state() == "Succeeded"


def test_without_automatic_rollback_it_stops_where_it_is():
    world = World().settle()
    world.spec["rollback"] = {"auto": False}
    until_settling(world).probe_ends("TooSlow").settle()
    assert (world.state(), world.reason(), world.image) == ("Failed", "SmokeFailed", NEW)


def test_a_rolled_back_image_is_not_tried_again_by_itself_but_on_request():
    world = until_settling(World().settle()).probe_ends("WrongAnswers").settle().rollout_ends().settle()
    world.ask("again", created=9).settle()
    assert (world.state("again"), world.reason("again")) == ("Failed", "Rejected")
    world.ask("retry", created=10, intent="Retry").settle()
    assert world.state("retry") == "Preflight"


def test_a_rollback_that_does_not_finish_holds_the_target_for_a_person():
    world = until_settling(World().settle()).probe_ends("WrongAnswers").settle()
    world.rollout_ends(ready=False).settle().wait(601).settle()
    assert (world.state(), world.status.hold.reason if world.status.hold else "") == ("Failed", "Contested")


def test_a_first_release_that_fails_where_nothing_ran_before_does_not_wait_for_what_never_ran():
    world = World()
    world.see(available=0, ready=0)
    until_settling(world.settle()).probe_ends("WrongAnswers").settle().rollout_ends(ready=False).settle()
    assert (world.state(), world.reason()) == ("RolledBack", "SmokeFailed")
    assert world.status.hold is None


def test_somebody_elses_image_during_the_rollout_is_left_alone():
    for world in (until_shifting(World().settle()), until_settling(World().settle())):
        world.see(template=template("registry.example.com/other:1")).settle()
        assert (world.state(), world.reason()) == ("Failed", "ExternalChange")
        assert world.image == "registry.example.com/other:1"


def test_an_image_that_is_put_back_twice_is_not_written_a_third_time():
    world = until_shifting(World().settle())
    for _ in range(3):
        world.see(template=template(OLD)).settle()
    assert (world.state(), world.reason()) == ("Failed", "Contested")
    assert world.writes.count(f"image {NEW}") == 2


def test_a_rollback_that_is_overwritten_again_and_again_gives_up():
    world = until_settling(World().settle()).probe_ends("WrongAnswers").settle()
    for _ in range(3):
        world.see(template=template(NEW)).settle()
    assert (world.state(), world.status.hold.reason if world.status.hold else "") == ("Failed", "Contested")


@pytest.mark.parametrize("stage", ["preview", "shifting", "settling"])
def test_abort_ends_it_before_traffic_and_turns_back_after(stage):
    world = {
        "preview": lambda: World().settle().ask().settle(),
        "shifting": lambda: until_shifting(World().settle()),
        "settling": lambda: until_settling(World().settle()),
    }[stage]()
    spec = world.promotions["fmnist-new"].spec
    world.change(spec=spec.model_copy(update={"abort": True})).settle()
    assert (world.state(), world.image) == (("Aborted" if stage == "preview" else "RollingBack"), OLD)


@pytest.mark.parametrize("change", ["deleted", "recreated", "deleting"])
def test_a_deployment_that_goes_away_ends_the_promotion(change):
    world = until_shifting(World().settle())
    assert world.deployment is not None
    world.deployment = {
        "deleted": None,
        "recreated": replace(live(OLD), uid="another"),
        "deleting": replace(world.deployment, deleting=True),
    }[change]
    world.settle()
    assert (world.state(), world.reason()) == ("Failed", "TargetGone")


def test_a_modelversion_deleted_after_the_write_ends_it_without_another_write():
    world = until_shifting(World().settle()).change(version=None).settle()
    assert (world.state(), world.reason()) == ("Failed", "VersionGone")


def test_parity_off_trusts_readiness_alone():
    world = World().settle()
    world.spec["verification"] = {"parity": "Off"}
    world.ask().settle()
    assert world.image == NEW
    world.rollout_ends().settle()
    assert world.state() == "Settling"
    world.wait(61).settle()
    assert world.state() == "Succeeded"
    assert "create probe" not in world.writes


def test_without_a_runtime_the_probe_waits_for_one():
    world = World().settle()
    world.probe = None
    world.ask().settle().preview_runs().settle()
    assert world.promotions["fmnist-new"].status.waiting_for == ("Runtime",)
    assert "create probe" not in world.writes


@given(st.lists(st.integers(0, 3), max_size=12))
def test_a_crash_after_any_write_ends_in_the_same_place(crashes):
    world = World()
    for limit in crashes[:3]:
        world.settle(interrupted_after=limit)
    world.ask()
    for limit in crashes[3:6]:
        world.settle(interrupted_after=limit)
    world.settle().preview_runs()
    for limit in crashes[6:8]:
        world.settle(interrupted_after=limit)
    world.settle().probe_ends()
    for limit in crashes[8:10]:
        world.settle(interrupted_after=limit)
    world.settle().rollout_ends()
    for limit in crashes[10:]:
        world.settle(interrupted_after=limit)
    world.settle().probe_ends().settle()
    assert world.state() == "Succeeded"
    assert world.writes.count(f"image {NEW}") == 1
    assert world.writes.count("create preview") == 1
    assert world.writes.count("create probe") == 2
    assert world.promotions["fmnist-new"].preview is None


@given(st.lists(st.integers(0, 3), max_size=6))
def test_a_crash_at_the_end_of_a_bad_preview_leaves_none_behind(crashes):
    world = World().settle().ask().settle().preview_runs().settle().probe_ends("WrongAnswers")
    for limit in crashes:
        world.settle(interrupted_after=limit)
    world.settle()
    assert (world.state(), world.reason(), world.image) == ("Failed", "ParityFailed", OLD)
    assert world.promotions["fmnist-new"].preview is None
    assert world.status.active is None
