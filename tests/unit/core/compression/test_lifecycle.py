"""Acceptance, waiting, suspension, cancellation, deadlines and clean-up of a CompressionJob."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from compression_operator.core.compression.decide import decide
from compression_operator.core.compression.selection import RELEASE_HOLD
from support.manifests import REMOVE, changed, runtime
from unit.core.compression import facts
from unit.core.compression.scripts import FLOOR, distilled, fails, measures, stored
from unit.core.compression.world import START, Ending, World, good


def hangs(stage):
    """A pod of this stage never ends."""
    return lambda key, given: None if key.stage == stage else good(key, given)


def reach(world: World, stage: str) -> str:
    """Run until a Job of this stage waits for its pod; its name."""
    for _ in range(40):
        world.settle()
        for name in world.waiting():
            if world.inputs[name].parameters.stage == stage:
                return name
        assert world.end_pods(), f"no Job of stage {stage} was made: {world.stages()}"
    raise AssertionError(stage)


# --- acceptance -----------------------------------------------------------------------------------


def test_a_missing_runtime_is_waited_for():
    world = World(stored(), runtime=None)
    decision = world.settle()
    assert world.condition("Accepted")["reason"] == "RuntimeNotFound"
    assert world.status["stage"] == "Waiting"
    assert decision.wake_at is not None
    world.runtime = runtime()
    assert world.run().holds("Complete")


def test_a_refused_namespace_waits_and_an_invalid_plan_ends():
    picky = changed(runtime(), {"spec.allowedNamespaces": {"matchLabels": {"ml": "true"}}})
    world = World(stored(), runtime=picky)
    world.settle()
    assert world.condition("Accepted")["reason"] == "NotAllowed"
    assert not world.ended
    world.namespace_labels = {"ml": "true"}
    assert world.run().holds("Complete")

    invalid = World(changed(distilled(), {"spec.teachers": REMOVE})).run()
    assert invalid.condition("Accepted")["reason"] == "PlanInvalid"
    assert invalid.condition("Failed")["reason"] == "InvalidSpec"
    assert "put a Distill step before it" in invalid.condition("Failed")["message"]
    assert invalid.made == []


def test_a_runtime_that_is_edited_later_does_not_move_a_running_job():
    world = World(distilled(), script=hangs("ptq"))
    reach(world, "ptq")
    image = "registry.example.com/platform/other@sha256:" + "ef" * 32
    world.runtime = changed(world.runtime, {"spec.runner.image": image, "spec.evaluators.0.image": image})
    world.script = good
    world.run()
    assert world.holds("Complete")
    images = {b["spec"]["template"]["spec"]["containers"][0]["image"] for b in world.bodies.values()}
    assert image not in images


def test_a_runtime_that_goes_away_stops_the_next_pod_until_it_is_back():
    world = World(stored(), script=hangs("ptq"))
    name = reach(world, "ptq")
    before, world.runtime, world.script = world.runtime, None, good
    world.end_pod(name, facts.result_for(world.inputs[name]))
    world.settle()
    assert world.condition("Accepted")["reason"] == "RuntimeNotFound"
    assert world.stages()[-1] == "ptq:ptq"
    world.runtime = before
    assert world.run().holds("Complete")
    assert world.condition("Accepted")["status"] == "True"


def test_what_the_author_says_of_the_dataset_must_fit_it():
    world = World(distilled(spec__student={"arch": "mobilenet", "numClasses": 7})).run()
    assert "numClasses is 7, the dataset has 10" in world.condition("Failed")["message"]
    world = World(distilled(spec__student={"arch": "mobilenet", "inputShape": [3, 32, 32]})).run()
    assert "inputShape is [3, 32, 32]" in world.condition("Failed")["message"]


# --- pods that do not start -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ({"waiting_reason": "ImagePullBackOff", "waiting_message": "no such image"}, "no such image"),
        ({"scheduled": False, "unschedulable_message": "0/1 nodes: cpu"}, "0/1 nodes: cpu"),
        ({"waiting_reason": "CreateContainerConfigError", "waiting_message": "secret x"}, "secret x"),
    ],
)
def test_a_pod_that_never_starts_ends_the_job_with_the_kubelets_sentence(pod, words):
    world = World(stored(), script=hangs("resolve"))
    name = reach(world, "resolve")
    world.set_pod(name, **pod)
    decision = world.settle()
    assert words in world.work("resolve")["message"]
    assert decision.wake_at is not None
    assert decision.wake_at <= START + timedelta(hours=1)
    world.wait(3601).settle()
    assert world.condition("Failed")["reason"] == "StartDeadlineExceeded"
    assert words in world.condition("Failed")["message"]


def test_a_job_without_a_pod_counts_as_not_started_unless_a_queue_holds_it_back():
    world = World(stored(), script=hangs("resolve"))
    name = reach(world, "resolve")
    world.jobs[name] = replace(world.jobs[name], pods=())
    world.wait(3601).settle()
    assert world.condition("Failed")["reason"] == "StartDeadlineExceeded"

    queued = World(stored(spec__runPolicy={"queueName": "gpu"}), script=hangs("resolve"))
    name = reach(queued, "resolve")
    assert queued.bodies[name]["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpu"
    pods = queued.jobs[name].pods
    queued.jobs[name] = replace(queued.jobs[name], pods=())
    queued.wait(7200).settle()
    assert queued.condition("Suspended")["reason"] == "Queued"
    before = queued.status["activeSeconds"]
    queued.wait(7200).settle()
    queued.jobs[name] = replace(queued.jobs[name], pods=pods, created=queued.now)
    queued.script = good
    queued.run()
    assert queued.holds("Complete")
    assert queued.status["activeSeconds"] - before < 60
    assert queued.condition("Suspended")["status"] == "False"


def test_a_secret_that_cannot_be_used_is_said_at_once_and_taken_back_when_it_is_there():
    world = World(stored(), script=hangs("resolve"))
    name = reach(world, "resolve")
    world.set_pod(name, waiting_reason="CreateContainerConfigError", waiting_message='secret "x" not found')
    world.settle()
    assert world.condition("Accepted")["reason"] == "SecretNotUsable"
    assert 'secret "x" not found' in world.condition("Accepted")["message"]
    world.set_pod(name, phase="Running", waiting_reason="")
    world.settle()
    assert world.condition("Accepted")["reason"] == "Valid"


# --- children that disappear ----------------------------------------------------------------------


def test_a_finished_child_that_somebody_deletes_is_not_made_again():
    world = World(stored(), script=hangs("ptq"))
    reach(world, "ptq")
    world.jobs = {name: job for name, job in world.jobs.items() if job.role != "resolve"}
    world.script = good
    world.run()
    assert world.holds("Complete")
    assert world.stages().count("resolve") == 1


def test_a_running_child_that_somebody_deletes_is_repeated_once():
    world = World(stored(), script=hangs("ptq"))
    name = reach(world, "ptq")
    world.jobs[name] = replace(world.jobs[name], lost=True)
    world.script = good
    world.run()
    assert world.holds("Complete")
    assert world.work("ptq")["attempts"] == {"retryable": 0, "infra": 1}
    assert world.work("ptq")["lastFailure"]["class"] == "ChildLost"
    assert [s for s in world.stages() if s.startswith("ptq")] == ["ptq:ptq", "ptq:ptq#1"]


def test_a_child_that_is_being_deleted_while_it_runs_counts_as_lost():
    world = World(stored(), script=hangs("ptq"))
    name = reach(world, "ptq")
    world.jobs[name] = replace(world.jobs[name], deleting=True)
    world.end_pod(name, Ending(143))
    world.script = good
    world.run()
    assert world.work("ptq")["attempts"] == {"retryable": 0, "infra": 1}


def test_a_name_that_belongs_to_somebody_else_ends_the_job():
    world = World(stored())
    decision = world.decide()
    (create,) = decision.actions
    world.write(decision)
    world.conflicts = {f"Job/{create.body['metadata']['name']}"}
    world.settle()
    assert world.condition("Failed")["reason"] == "NameConflict"
    assert create.body["metadata"]["name"] in world.condition("Failed")["message"]


# --- suspension -----------------------------------------------------------------------------------


def test_a_suspended_job_sends_its_pod_away_and_goes_on_under_another_name():
    world = World(stored(), script=hangs("ptq"))
    first = reach(world, "ptq")
    world.change("spec.suspend", True).wait(60).settle()
    assert first not in world.jobs
    assert world.condition("Suspended")["reason"] == "UserRequested"
    assert world.status["stage"] == "Suspended"
    counted = world.status["activeSeconds"]
    world.wait(100_000).change("spec.suspend", False)
    second = reach(world, "ptq")
    assert second != first
    assert world.inputs[second].output == world.inputs[first].output, "its checkpoint is found there"
    assert world.status["incarnation"] == 1
    world.script = good
    world.run()
    assert world.holds("Complete")
    assert world.status["activeSeconds"] - counted < 60
    assert world.work("ptq")["attempts"] == {"retryable": 0, "infra": 0}


def test_a_pod_that_is_still_ending_is_waited_for_before_its_successor_starts():
    world = World(stored(), script=hangs("ptq"))
    name = reach(world, "ptq")
    world.change("spec.suspend", True)
    decision = world.decide()
    world.write(decision)
    world.jobs[name] = replace(world.jobs[name], deleting=True)
    world.change("spec.suspend", False).settle()
    assert [s for s in world.stages() if s.startswith("ptq")] == ["ptq:ptq"]
    world.jobs[name] = replace(world.jobs[name], lost=True)
    world.settle()
    assert len([s for s in world.stages() if s.startswith("ptq")]) == 2


def test_a_pod_that_finished_just_before_the_suspension_is_not_wasted():
    world = World(stored(), script=hangs("ptq"))
    name = reach(world, "ptq")
    world.end_pod(name, facts.result_for(world.inputs[name]))
    world.change("spec.suspend", True).settle()
    assert name in world.jobs
    world.script = good
    world.change("spec.suspend", False).run()
    assert world.holds("Complete")
    assert [s for s in world.stages() if s.startswith("ptq")] == ["ptq:ptq"]


def test_a_job_may_be_created_suspended():
    world = World(stored(spec__suspend=True))
    world.settle()
    assert world.made == []
    assert world.condition("Suspended")["status"] == "True"
    assert world.change("spec.suspend", False).run().holds("Complete")


# --- cancellation and deadline --------------------------------------------------------------------


def test_a_cancelled_job_fails_once_its_pods_are_gone():
    world = World(stored(), script=hangs("ptq"))
    name = reach(world, "ptq")
    world.change("spec.cancel", True)
    decision = world.decide()
    assert [action.name for action in decision.actions] == [name]
    world.write(decision)
    assert not world.ended
    assert world.status["stage"] == "Cancelling"
    world.jobs[name] = replace(world.jobs[name], deleting=True)
    assert world.decide().actions == ()
    del world.jobs[name]
    world.settle()
    assert world.condition("Failed")["reason"] == "Cancelled"
    assert world.work("ptq")["state"] == "Failed"


def test_a_job_that_has_run_too_long_fails_and_its_pod_is_sent_away():
    world = World(stored(spec__runPolicy={"activeDeadlineSeconds": 100}), script=hangs("ptq"))
    name = reach(world, "ptq")
    world.set_pod(name, phase="Running")
    decision = world.settle()
    assert decision.wake_at is not None
    assert decision.wake_at <= START + timedelta(seconds=100)
    world.wait(101).settle()
    assert world.condition("Failed")["reason"] == "DeadlineExceeded"
    assert name not in world.jobs


# --- holds ----------------------------------------------------------------------------------------

HELD = changed(FLOOR, {"onInconclusive": "Hold", "holdTimeout": "1h", "metric.min": 0.8625})


def until_held(world: World) -> World:
    """Run without skipping over waits until a candidate is held."""
    while world.status.get("stage") != "Held":
        world.settle()
        assert world.end_pods() or world.status["stage"] == "Held"
    return world


def test_an_undecided_gate_waits_for_a_person_who_may_let_it_pass():
    world = until_held(World(stored(spec__gates=[HELD])))
    assert world.settle().wake_at is not None
    assert not world.ended
    assert world.condition("GatesPassed")["status"] == "Unknown"
    since = world.status["hold"]["since"]
    assert f"{RELEASE_HOLD}={since}" in world.condition("GatesPassed")["message"]
    world.annotations = {RELEASE_HOLD: "2020-01-01T00:00:00Z"}
    world.settle()
    assert "selected" not in world.status, "a stale word does not count"
    world.annotations = {RELEASE_HOLD: since}
    world.run()
    assert world.holds("Complete")
    assert "accepted by a person" in world.status["candidates"][0]["message"]
    assert "hold" not in world.status


def test_a_hold_that_nobody_answers_fails_closed():
    world = until_held(World(stored(spec__gates=[HELD])))
    world.wait(3601).settle()
    assert world.status["candidates"][0]["state"] == "Rejected"
    assert world.run().condition("Failed")["reason"] == "GateFailed"


def test_a_certain_failure_is_not_held():
    failing = {"name": "lat", "type": "Latency", "latency": {"max": "1ms"}}
    world = World(stored(spec__gates=[HELD, failing])).run()
    assert world.condition("Failed")["reason"] == "GateFailed"
    assert world.condition("GatesPassed")["reason"] == "TooSlow"


# --- after the end --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "at_once", "later"), [("Running", False, True), ("All", True, True), ("None", False, False)]
)
def test_finished_children_go_when_the_policy_says(policy, at_once, later):
    world = World(stored(spec__runPolicy={"cleanPodPolicy": policy})).run()
    world.end_pods()
    world.settle()
    assert (world.jobs == {}) == at_once
    world.wait(3601).settle()
    assert (world.jobs == {}) == later
    assert world.holds("Complete")


def test_a_job_deletes_itself_when_its_time_is_over_and_the_release_stays():
    world = World(stored(spec__ttlSecondsAfterFinished=600)).run()
    decision = world.settle()
    assert decision.wake_at is not None
    assert not world.deleted
    world.wait(601)
    (delete,) = world.decide().actions
    assert (delete.kind, delete.uid) == ("CompressionJob", world.observe().identity.uid)
    assert len(world.model_versions) == 1


def test_a_job_that_is_being_deleted_is_left_alone():
    world = World(stored(), script=fails("ptq", Ending(75)))
    observed = world.observe()
    observed = replace(observed, identity=replace(observed.identity, deleting=True))
    decision = decide(observed, world.now)
    assert decision.status is None
    assert decision.actions == ()


def test_the_end_is_said_again_for_a_pass_that_was_cut_off():
    world = World(stored(), script=measures(ptq={"correct": 100}, qat={"correct": 100})).run()
    world.said.clear()
    world.settle()
    assert [notice.kind for notice in world.said.values()] == ["Warning"]
