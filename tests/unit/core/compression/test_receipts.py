"""Receipts: a result counts only if it speaks of what was asked, and never breaks the pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compression_contract.base import digest_of
from compression_contract.exitcodes import ExitClass
from compression_contract.results import Estimate, Measurement, Proportion, TeacherMeasurement
from compression_operator.core.compression import receipts
from compression_operator.core.compression.measurements import artifact_of, summary
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.plan import Part, Task
from compression_operator.core.compression.selection import select
from support.manifests import changed, runtime
from unit.core.compression import facts
from unit.core.compression.scripts import FLOOR, distilled, fails, says, stored
from unit.core.compression.world import Ending, World, good

DIGEST = digest_of(b"something else")
RAW = {"metrics": [{"name": "mAP", "unit": "Raw"}]}
MAP_FLOOR = {"name": "floor", "type": "Metric", "metric": {"name": "mAP", "min": 0.3}, "confidence": 0.9}


def altered(stage, **fields):
    """A script whose stage reports altered facts."""

    def script(key, given):
        if key.stage != stage:
            return good(key, given)
        return facts.result_for(given, facts.facts_for(given).model_copy(update=fields))

    return script


@pytest.mark.parametrize(
    ("manifest", "fields", "words"),
    [
        (
            distilled(spec__dataset={"uri": "s3://a-b/c", "digest": DIGEST}),
            {"dataset_digest": digest_of(b"x")},
            "dataset",
        ),
        (distilled(), {"teacher_digests": {}}, "large was not resolved"),
        (stored(), {"student_digest": DIGEST}, "student has digest"),
        (stored(), {"student_digest": None}, "student was not resolved"),
        (distilled(), {"input_shape": (1, 2, 3, 4, 5, 6)}, "inputShape"),
        (distilled(), {"num_classes": 2_000_000}, "numClasses"),
        (distilled(), {"samples": {str(n): n for n in range(40)}}, "samples"),
    ],
)
def test_a_resolution_of_other_things_is_refused(manifest, fields, words):
    world = World(manifest, script=altered("resolve", **fields)).run()
    assert world.condition("Failed")["reason"] == "ResultMismatch"
    assert words in world.condition("Failed")["message"]


def test_a_teacher_may_have_any_name():
    manifest = changed(distilled(), {"spec.teachers.0.name": "dataset"})
    assert World(manifest).run().holds("Complete")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"metric": "top5"}, "measured by top5"),
        ({"teachers": ()}, "teacher large was not measured"),
        ({"teachers": (TeacherMeasurement(name="other", value=1, samples=1),)}, "was not measured"),
    ],
)
def test_a_preflight_of_other_things_is_refused(fields, words):
    world = World(distilled(), script=altered("preflight", **fields)).run()
    assert world.condition("Failed")["reason"] == "ResultMismatch"
    assert words in world.condition("Failed")["message"]


def test_a_teacher_that_no_step_uses_is_not_measured():
    second = {"name": "small", "uri": "s3://team-a/teachers/small", "minMetric": 0.99}
    steps = [
        {"name": "kd", "type": "Distill", "distill": {"teachers": ["large"]}},
        {"name": "ptq", "type": "PTQ", "from": "kd", "ptq": {}},
    ]
    manifest = changed(distilled(), {"spec.teachers.1": second, "spec.pipeline.steps": steps})
    world = World(manifest).run()
    assert world.holds("Complete")
    assert [item["name"] for item in world.status["teachers"]] == ["large"]


def test_a_teachers_error_rate_must_not_be_above_its_limit():
    metrics = {"metrics": [{"name": "CER"}, {"name": "top1"}]}
    offer = changed(runtime(), {"spec.evaluators.0.metrics": ["top1", "CER"]})
    base = distilled(spec__task="SpeechRecognition", spec__evaluation=metrics)
    weak = World(changed(base, {"spec.teachers.0.minMetric": 0.5}), runtime=offer).run()
    assert weak.condition("Failed")["reason"] == "TeacherTooWeak"
    good = World(changed(base, {"spec.teachers.0.minMetric": 0.95}), runtime=offer).run()
    assert good.holds("Complete")


def test_numbers_beyond_what_a_status_holds_are_data_and_not_a_crash():
    world = World(stored(), script=altered("package", image_bytes=2**60)).run()
    assert world.condition("Failed")["reason"] == "ResultMismatch"
    assert "image" not in world.status


def test_of_the_metrics_only_those_that_were_asked_for_are_kept_and_each_once():
    noise = Proportion(name="x" * 100, successes=1, samples=2)
    twice = Proportion(name="top1", successes=9_000, samples=10_000)
    told = facts.evaluation(9_000)
    measured = told.candidate.model_copy(update={"proportions": (noise, twice, twice)})
    world = World(stored(), script=says("evaluate", told.model_copy(update={"candidate": measured}))).run()
    shown = world.status["candidates"][0]["results"][0]["metrics"]
    assert [item["name"] for item in shown] == ["top1"]


def test_a_metric_that_is_no_proportion_shows_the_evaluators_interval():
    offer = changed(runtime(), {"spec.evaluators.0.metrics": ["top1", "mAP"]})
    measured = Measurement(
        estimates=(Estimate(name="mAP", value=0.41, low=0.40, high=0.42, samples=500),), bytes=100
    )
    told = facts.evaluation().model_copy(update={"candidate": measured, "baseline": None, "paired": ()})
    manifest = stored(spec__task="ObjectDetection", spec__evaluation=RAW, spec__gates=[MAP_FLOOR])
    world = World(manifest, runtime=offer, script=says("evaluate", told)).run()
    assert world.holds("Complete")
    result = world.status["candidates"][0]["results"][0]
    assert result["metrics"] == [
        {"name": "mAP", "value": "0.41", "low": "0.4", "high": "0.42", "samples": 500}
    ]
    assert "baseline" not in world.status
    assert world.status["summary"] == {"metric": "mAP 0.41", "size": "100 B"}
    (release,) = world.model_versions.values()
    assert "latencyP95" not in release["spec"]["evaluation"]


def test_an_estimate_without_an_interval_and_a_broken_proportion_show_what_there_is():
    offer = changed(runtime(), {"spec.evaluators.0.metrics": ["top1", "CER"]})
    measured = Measurement(
        proportions=(Proportion(name="top1", successes=3, samples=0),),
        estimates=(Estimate(name="CER", value=0.41, samples=500),),
        bytes=0,
    )
    told = facts.evaluation().model_copy(update={"candidate": measured})
    both = {"metrics": [{"name": "CER"}, {"name": "top1"}]}
    ceiling = {"name": "e", "type": "Metric", "metric": {"name": "CER", "max": 0.5}, "confidence": 0}
    manifest = stored(spec__task="SpeechRecognition", spec__evaluation=both, spec__gates=[ceiling])
    world = World(manifest, runtime=offer, script=says("evaluate", told)).run()
    result = world.status["candidates"][0]["results"][0]
    assert result["metrics"] == [{"name": "CER", "value": "0.41", "samples": 500}]


def test_a_baseline_that_somebody_wrote_or_a_teachers_is_compared_by_value():
    drop = {"name": "drop", "type": "MetricDrop", "metricDrop": {"name": "top1", "max": 0.02}}
    fixed = {"baseline": {"source": "Fixed", "value": 0.87}}
    world = World(stored(spec__evaluation=fixed, spec__gates=[FLOOR, drop])).run()
    assert world.holds("Complete"), world.condition("Failed")
    teacher = {"baseline": {"source": "Teacher"}}
    world = World(distilled(spec__evaluation=teacher, spec__gates=[FLOOR, drop])).run()
    assert world.condition("GatesPassed")["reason"] == "DropTooLarge"


def test_every_target_is_measured_and_each_gate_judged_on_its_own():
    evaluation = {
        "targets": [
            {"name": "ort", "runtime": "onnxruntime", "format": "ONNXQDQ"},
            {"name": "wide", "runtime": "onnxruntime", "format": "ONNXQDQ", "threads": 4},
        ]
    }
    slow = {"name": "wide-lat", "type": "Latency", "target": "wide", "latency": {"max": "8ms"}}
    manifest = stored(spec__evaluation=evaluation, spec__gates=[FLOOR, slow])
    world = World(manifest).run()
    assert world.holds("Complete")
    assert world.stages().count("evaluate:ptq") == 2
    targets = {gate["name"]: gate["target"] for gate in world.status["gates"]}
    assert targets == {"floor": "ort", "wide-lat": "wide", "vulnerabilities": "ort"}


@pytest.mark.parametrize(("most", "complete"), [("1Gi", True), ("1Mi", False)])
def test_the_images_size_is_judged_once_it_is_pushed(most, complete):
    gate = {"name": "image", "type": "Size", "size": {"max": most, "of": "Image"}}
    world = World(stored(spec__gates=[FLOOR, gate])).run()
    assert world.holds("Complete") is complete
    if not complete:
        assert world.condition("GatesPassed")["reason"] == "TooLarge"


def test_findings_wait_for_the_administrators_floor():
    world = World(stored(), script=lambda key, given: None if key.stage == "scan" else good(key, given))
    for _ in range(20):
        world.settle()
        if "scan" in world.stages():
            break
        world.end_pods()
    offered, world.runtime, world.script = world.runtime, None, good
    world.end_pods()
    world.settle()
    assert world.condition("Accepted")["reason"] == "RuntimeNotFound"
    assert not world.ended
    world.runtime = offered
    assert world.run().holds("Complete")
    assert world.condition("Accepted")["status"] == "True"


def test_out_of_memory_is_told_even_when_the_runtime_is_gone():
    world = World(stored(), script=lambda key, given: None if key.stage == "ptq" else good(key, given))
    for _ in range(20):
        world.settle()
        if "ptq:ptq" in world.stages():
            break
        world.end_pods()
    world.runtime = None
    (name,) = world.waiting()
    world.end_pod(name, Ending(137, reason="OOMKilled")).settle()
    assert world.condition("Failed")["reason"] == "OutOfMemory"


def test_a_missing_measurement_is_the_worst_objective_of_all():
    pipeline = {
        "selection": "Best",
        "objective": {"metric": "latencyP95", "goal": "Minimize"},
        "steps": [
            {"name": "ptq", "type": "PTQ", "ptq": {}},
            {"name": "qat", "type": "QAT", "qat": {}},
        ],
    }
    world = World(stored(spec__pipeline=pipeline)).run()
    passage = Passage(world.observe(), world.now)
    first, second = passage.status.candidates
    passage.update(candidates=(first.model_copy(update={"results": ()}),))
    assert select(passage), "a person may have let it through"
    bare = first.results[0].model_copy(update={"latency": None})
    for results in ((), (bare,)):
        unmeasured = first.model_copy(update={"results": results})
        passage.update(candidates=(unmeasured, second))
        assert select(passage)
        assert passage.status.selected.step == "qat"
    passage.update(candidates=(first.model_copy(update={"artifact": None}),))
    with pytest.raises(LookupError, match="no artifact"):
        select(passage)


def test_a_training_that_stored_nothing_has_no_artifact():
    result = facts.result_for(next(iter(World(stored()).run().inputs.values())))
    assert artifact_of(result.model_copy(update={"artifact": None})) is None


def test_a_summary_of_nothing_is_short():
    world = World(stored()).run()
    result = Passage(world.observe(), world.now).status.candidates[0].results[0]
    bare = result.model_copy(update={"metrics": (), "bytes": None})
    assert summary(bare).to_dict() == {"size": "0 B"}


def test_a_pass_knows_no_plan_before_acceptance_and_ends_only_once():
    world = World(stored())
    passage = Passage(world.observe(), world.now)
    with pytest.raises(LookupError, match="not been accepted"):
        _ = passage.plan
    passage.fail("GateFailed", "first")
    passage.end("Complete", "Published", "second")
    assert [item.type for item in passage.status.conditions if item.status == "True"] == ["Failed", "Stalled"]


def test_findings_are_never_judged_without_a_floor():
    world = World(stored(), script=fails("scan", Ending(75), times=99))
    while "scan" not in world.stages():
        world.settle()
        world.end_pods()

    passage = Passage(world.observe(), world.now)
    passage.observed = replace(passage.observed, runtime=None)
    name = next(name for name, given in world.inputs.items() if given.parameters.stage == "scan")
    with pytest.raises(LookupError, match="floor"):
        receipts.record(passage, Task(Part.SCAN), facts.result_for(world.inputs[name]))


def test_only_a_training_can_diverge():
    world = World(stored(), script=fails("resolve", Ending(80))).run()
    assert world.condition("Failed")["reason"] == "StepFailed"
    assert world.work("resolve")["lastFailure"]["class"] == ExitClass.PERMANENT
