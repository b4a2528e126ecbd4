"""The page about a run: drawn after its end, and in nobody's way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from compression_contract.base import canonical_json
from compression_contract.inputs import ReportInput
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.summary import report_input
from support.manifests import changed, runtime
from unit.core.compression import facts
from unit.core.compression.scripts import FLOOR, distilled, fails, measures, reports, stored
from unit.core.compression.world import Ending, World, good

MISS = {"correct": 8_000, "discordant": 700}
ALL = {"cleanPodPolicy": "All"}


def drawn(world):
    """The same world, a page later."""
    world.settle()
    world.end_pods()
    world.settle()
    return world


def just_ended(world):
    """A world whose last write was the end of its run."""
    while not world.ended:
        decision = world.decide()
        world.write(decision)
        world.act(decision)
        if decision.status is None:
            world.end_pods()
    return world


def told(world):
    return next(i.parameters for i in world.inputs.values() if isinstance(i.parameters, ReportInput))


def without_page(status):
    """What the end of a run left, whatever became of the page."""
    stages = [item for item in status["stages"] if item["name"] != "report"]
    return {**status, "stages": stages, "report": None}


def test_a_run_that_passed_gets_its_page_after_its_end():
    world = just_ended(World(distilled()))
    assert world.holds("Complete")
    assert world.status["report"] == {"state": "Pending"}, "asked for in the write that ends the run"
    before = without_page(world.status)
    drawn(world)
    report = world.status["report"]
    assert (report["state"], report["page"]) == ("Succeeded", "report.html")
    assert report["uri"].startswith("s3://team-a/compression/runs/")
    assert report["manifestDigest"] == world.work("report")["artifact"]["manifestDigest"]
    assert without_page(world.status) == before
    assert report["uri"] in world.said["report"].message


def test_a_run_that_failed_gets_its_page_too():
    world = drawn(World(distilled(), script=measures(**dict.fromkeys(("ptq", "qat", "ptq-2"), MISS))).run())
    assert world.condition("Failed")["reason"] == "GateFailed"
    assert world.status["report"]["state"] == "Succeeded"
    assert told(world).summary.outcome == "Failed"
    assert told(world).summary.selected == ""


@pytest.mark.parametrize(
    "world",
    [
        World(distilled(), script=reports("resolve", 66, "DatasetNotFound")),
        World(distilled(spec__gates=[changed(FLOOR, {"metric.name": "top5"})])),
    ],
)
def test_a_run_that_left_nothing_has_no_page(world):
    drawn(world.run())
    assert world.holds("Failed")
    assert "report" not in world.status
    assert "report" not in world.stages()


def test_a_cancelled_run_has_no_page():
    world = World(stored())
    while "ptq:ptq" not in world.stages() or world.work("ptq")["state"] != "Succeeded":
        world.settle()
        world.end_pods()
        world.settle()
    world.change("spec.cancel", True).run()
    assert world.condition("Failed")["reason"] == "Cancelled"
    assert "report" not in drawn(world).status


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending(70), "Error"),
        (Ending(75), "Error"),
        (Ending(0, "not json"), "ResultMalformed"),
        (Ending(143, disrupted=True), "Disrupted"),
    ],
)
def test_a_page_that_cannot_be_drawn_changes_nothing_else(ending, reason):
    world = World(distilled(), script=fails("report", ending, times=9)).run()
    before = without_page(world.status)
    drawn(world)
    drawn(world.wait(300))
    assert world.status["report"]["state"] == "Failed"
    assert world.status["report"]["reason"] in (reason, "Completed")
    assert without_page(world.status) == before
    assert world.holds("Complete")
    assert world.stages().count("report") == 1, "one attempt"
    assert world.said["report"].kind == "Warning"


def test_a_page_that_takes_too_long_is_given_up_and_its_pod_sent_away():
    world = World(distilled(), script=lambda key, i: None if key.stage == "report" else good(key, i)).run()
    decision = world.settle()
    assert decision.wake_at is not None
    (pod,) = world.waiting()
    assert world.jobs[pod].role == "report"
    world.now = decision.wake_at
    world.settle()
    assert world.status["report"]["reason"] == "DeadlineExceeded"
    assert pod not in world.jobs


def test_a_page_is_not_begun_long_after_it_was_asked_for():
    world = just_ended(World(distilled()))
    world.write(world.decide())
    world.wait(timedelta(hours=1).total_seconds()).settle()
    assert world.status["report"]["reason"] == "DeadlineExceeded"
    assert "report" not in world.stages()


def test_cleaning_up_waits_for_the_page():
    world = World(distilled(spec__runPolicy=ALL)).run()
    world.settle()
    assert [world.jobs[name].role for name in world.jobs] == ["report"]
    drawn(world)
    world.settle()
    assert world.jobs == {}
    assert world.status["report"]["state"] == "Succeeded"


def test_without_its_runtime_there_is_no_page():
    world = just_ended(World(distilled()))
    world.runtime = None
    drawn(world)
    assert world.status["report"]["reason"] == "RuntimeNotFound"


def test_somebody_elses_job_of_that_name_is_left_alone():
    world = just_ended(World(distilled()))
    world.write(world.decide())
    world.conflicts.add(f"Job/{world.work('report')['child']['jobName']}")
    drawn(world)
    assert world.status["report"]["reason"] == "NameConflict"


def test_the_page_is_drawn_by_the_runner_which_needs_no_registry():
    images = {
        "spec.runner.image": "registry.example.com/platform/runner@sha256:" + "ab" * 32,
        "spec.defaults.resources": {"default": {"limits": {"memory": "3Gi"}}},
    }
    world = World(distilled(), runtime=changed(runtime(), images)).run()
    world.settle()
    (name,) = world.waiting()
    body = world.bodies[name]
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert "/runner@" in container["image"]
    assert container["resources"]["limits"]["memory"] == "3Gi"
    assert "-rep-" in body["metadata"]["name"]


def test_the_page_is_told_the_whole_run():
    gates = [FLOOR, {"name": "size", "type": "Size", "size": {"minRatio": 3.0}}]
    manifest = distilled(spec__gates=gates, spec__model={"name": "fmnist", "version": "1.4.0"})
    world = drawn(World(manifest, script=measures(ptq=MISS)).run())
    summary = told(world).summary
    assert (summary.name, summary.model, summary.version) == ("first", "fmnist", "1.4.0")
    assert (summary.outcome, summary.reason, summary.selected) == ("Complete", "Published", "qat")
    assert [(step.name, step.state) for step in summary.steps] == [
        ("distill", "Succeeded"),
        ("ptq", "Succeeded"),
        ("qat", "Succeeded"),
        ("redistill", "Skipped"),
        ("ptq-2", "Skipped"),
    ]
    assert summary.steps[0].seconds is not None
    ptq, qat = summary.candidates
    assert (ptq.step, ptq.type, ptq.state) == ("ptq", "PTQ", "Rejected")
    assert {gate.name: gate.verdict for gate in ptq.gates} == {"floor": "Fail", "size": "Pass"}
    assert {gate.name: gate.verdict for gate in qat.gates} == {
        "floor": "Pass",
        "size": "Pass",
        "vulnerabilities": "Pass",
    }
    (measured,) = qat.results
    assert (measured.target, measured.runtime, measured.format) == ("ort", "onnxruntime", "ONNXQDQ")
    assert measured.metrics[0].value == pytest.approx(0.8625)
    assert measured.latency.p95 == pytest.approx(6.0)
    (baseline,) = summary.baseline
    assert baseline.bytes == 3_600_000
    assert summary.teachers[0].value == pytest.approx(0.93)
    assert summary.image.endswith(facts.IMAGE_DIGEST)
    assert summary.scan.counts["medium"] == 3
    assert {"dataset", "teacher large", "runner", "evaluator onnxruntime"} <= {
        d.name for d in summary.digests
    }


def test_the_page_is_given_what_every_step_left():
    world = drawn(World(distilled(), script=measures(ptq=MISS)).run())
    found = [(item.role, item.step, item.target) for item in told(world).artifacts]
    assert found == [
        ("train", "distill", ""),
        ("candidate", "ptq", ""),
        ("candidate", "qat", ""),
        ("evaluation", "ptq", "ort"),
        ("evaluation", "qat", "ort"),
        ("scan", "", ""),
    ]


def test_a_run_without_measurements_is_summed_up_too():
    nothing = facts.evaluation().model_copy(update={"baseline": None, "paired": (), "agreement": None})
    bare = nothing.candidate.model_copy(update={"latency": None})
    told_so = nothing.model_copy(update={"candidate": bare})

    def script(key, given):
        return facts.result_for(given, told_so) if key.stage == "evaluate" else good(key, given)

    world = drawn(World(stored(), script=script).run())
    summary = told(world).summary
    assert summary.outcome == "Failed"
    assert summary.baseline == ()
    assert summary.candidates[0].results[0].latency is None
    assert summary.image == ""


def test_the_largest_plan_still_fits_into_an_input():
    targets = [{"name": f"t{n}", "runtime": "onnxruntime", "format": "ONNXQDQ"} for n in range(4)]
    steps = [{"name": f"ptq-{n}", "type": "PTQ", "ptq": {}} for n in range(12)]
    gates = [changed(FLOOR, {"name": f"gate-{n}-{'x' * 20}"}) for n in range(15)]
    manifest = stored(
        spec__pipeline={"steps": steps}, spec__evaluation={"targets": targets}, spec__gates=gates
    )
    world = drawn(World(manifest).run(200))
    assert world.status["report"]["state"] == "Succeeded"
    asked = told(world)
    assert len(asked.artifacts) == 12 + 48 + 1
    assert len(canonical_json(asked.wire())) < 100_000


def test_a_run_that_goes_on_has_no_summary():
    world = World(distilled())
    world.settle()
    passage = Passage(world.observe(), world.now)
    with pytest.raises(LookupError, match="has not ended"):
        report_input(passage.plan, passage.status, world.observe().identity)
