"""Whole runs of a CompressionJob, from its creation to its terminal condition."""

from __future__ import annotations

from datetime import timedelta

import pytest

from compression_contract.base import digest_of
from compression_contract.results import Ratio, Speedup
from support.manifests import changed, runtime
from unit.core.compression import facts
from unit.core.compression.scripts import (
    FLOOR,
    PTQ,
    QAT,
    distilled,
    fails,
    measures,
    reports,
    says,
    stored,
)
from unit.core.compression.world import START, Ending, World, good

PROMOTED = {"mode": "Request", "targets": [{"name": "fmnist"}]}
MISS = {"correct": 8_000, "discordant": 700}
DROP = {"name": "drop", "type": "MetricDrop", "metricDrop": {"name": "top1", "max": 0.01}}


def test_a_job_goes_from_resolve_to_a_promotion_and_is_complete():
    world = World(distilled(spec__promotion=PROMOTED), targets={"fmnist": "uid-of-target"}).run()
    assert world.holds("Complete"), world.condition("Failed")
    assert world.condition("Failed") == {}
    assert world.stages() == [
        "resolve",
        "preflight",
        "distill:distill",
        "ptq:ptq",
        "evaluate:ptq",
        "package",
        "scan",
        "ModelVersion",
        "Promotion",
        "report",
    ]
    assert world.status["selected"]["step"] == "ptq"
    assert world.status["summary"]["metric"] == "top1 0.8625"
    assert world.status["stage"] == "Complete"
    assert world.status["progressPercent"] == 100
    assert world.condition("Published")["reason"] == "Created"
    assert world.condition("Promoted")["status"] == "Unknown"
    (promotion,) = world.promotions.values()
    assert promotion["metadata"]["ownerReferences"][0]["uid"] == "uid-of-target"
    assert promotion["spec"]["orderKey"] == f"2026-11-22T10:00:00Z/{world.observe().identity.uid}"


def test_a_stage_costs_at_most_one_status_write_and_one_event():
    world = World(distilled()).run()
    jobs = [item for item in world.made if item.startswith("Job/")]
    # The first write is the intent of the first stage, the last one the end.
    assert world.status_writes <= len(jobs) + 2
    assert len(world.said) <= len(jobs) + 2


def test_a_step_that_is_not_needed_is_skipped_and_no_pod_is_made_for_it():
    world = World(stored()).run()
    assert world.work("qat")["state"] == "Skipped"
    assert "ptq passed" in world.work("qat")["message"]
    assert not any("qat" in stage for stage in world.stages())


def test_a_candidate_that_misses_its_gate_gives_way_to_the_fallback():
    world = World(stored(), script=measures(ptq=MISS)).run()
    assert world.holds("Complete")
    assert world.status["selected"]["step"] == "qat"
    by_step = {item["step"]: item["state"] for item in world.status["candidates"]}
    assert by_step == {"ptq": "Rejected", "qat": "Passed"}
    gates = {item["name"]: item["verdict"] for item in world.status["gates"]}
    assert gates["floor"] == "Pass"


def test_the_default_plan_ends_with_a_longer_distillation():
    world = World(distilled(), script=measures(ptq=MISS, qat=MISS)).run()
    assert world.status["selected"]["step"] == "ptq-2"
    assert "distill:redistill" in world.stages()


def test_when_every_candidate_misses_nothing_is_pushed():
    world = World(stored(spec__promotion=PROMOTED), script=measures(ptq=MISS, qat=MISS)).run()
    assert world.condition("Failed")["reason"] == "GateFailed"
    assert world.condition("GatesPassed")["status"] == "False"
    assert world.condition("GatesPassed")["reason"] == "MetricBelowMinimum"
    assert "top1 is 0.8" in world.condition("Failed")["message"]
    assert world.holds("Stalled")
    assert not {"package", "ModelVersion", "Promotion"} & set(world.stages())


def test_a_step_that_diverges_is_passed_over_and_the_plan_goes_on():
    world = World(stored(), script=reports("ptq", 80, "Diverged")).run()
    assert world.work("ptq")["state"] == "Failed"
    assert world.status["selected"]["step"] == "qat"


def test_a_step_whose_source_diverged_cannot_run():
    world = World(distilled(), script=reports("distill", 80, "Diverged")).run()
    assert world.condition("Failed")["reason"] == "GateFailed"
    assert "no step gave a candidate" in world.condition("Failed")["message"]
    assert "not possible" in world.work("ptq")["message"]


@pytest.mark.parametrize(
    ("ending", "attempts"),
    [
        (Ending(75), {"retryable": 2, "infra": 0}),
        (Ending(74), {"retryable": 2, "infra": 0}),
        (Ending(137), {"retryable": 2, "infra": 0}),
        (Ending(0, ""), {"retryable": 2, "infra": 0}),
        (Ending(0, "not json"), {"retryable": 2, "infra": 0}),
        (Ending(143, disrupted=True), {"retryable": 0, "infra": 2}),
    ],
)
def test_a_passing_trouble_is_tried_again_until_it_succeeds(ending, attempts):
    world = World(stored(), script=fails("ptq", ending, times=2)).run()
    assert world.holds("Complete")
    assert world.work("ptq")["attempts"] == attempts
    assert [s for s in world.stages() if s.startswith("ptq")] == ["ptq:ptq", "ptq:ptq#1", "ptq:ptq#2"]
    assert world.now - START >= timedelta(seconds=5 + 10)
    places = {given.output for name, given in world.inputs.items() if given.parameters.stage == "ptq"}
    assert len(places) == 1, "a repetition must find what an earlier attempt finished"


@pytest.mark.parametrize(
    ("ending", "reason", "words"),
    [
        (Ending(65), "StepFailed", "ptq"),
        (Ending(64), "StepFailed", "ptq"),
        (Ending(1, reason="Error"), "StepFailed", "exit code 1"),
        (Ending(137, reason="OOMKilled"), "OutOfMemory", "4Gi"),
    ],
)
def test_a_lasting_trouble_ends_the_job_at_once(ending, reason, words):
    world = World(stored(), script=fails("ptq", ending)).run()
    assert world.condition("Failed")["reason"] == reason
    assert words in world.condition("Failed")["message"]
    assert [s for s in world.stages() if s.startswith("ptq")] == ["ptq:ptq"]
    assert world.work("ptq")["state"] == "Failed"


def test_a_limit_on_repetitions_ends_the_job():
    world = World(stored(spec__runPolicy={"backoffLimit": 1}), script=fails("ptq", Ending(75), times=9)).run()
    assert world.condition("Failed")["reason"] == "RetriesExhausted"
    assert "backoffLimit is 1" in world.condition("Failed")["message"]


def test_disruptions_have_a_limit_of_their_own():
    policy = {"backoffLimit": 0, "infraRetryLimit": 2}
    ending = Ending(143, disrupted=True)
    world = World(stored(spec__runPolicy=policy), script=fails("ptq", ending, times=2)).run()
    assert world.holds("Complete")
    world = World(stored(spec__runPolicy=policy), script=fails("ptq", ending, times=3)).run()
    assert world.condition("Failed")["reason"] == "RetriesExhausted"
    assert "infraRetryLimit is 2" in world.condition("Failed")["message"]


@pytest.mark.parametrize(
    ("stage", "reason", "condition"),
    [
        ("package", "PushDenied", "Packaged"),
        ("package", "TagConflict", "Packaged"),
        ("preflight", "ShapeMismatch", "Evaluated"),
    ],
)
def test_a_failed_stage_says_why_in_its_own_condition(stage, reason, condition):
    world = World(distilled(), script=reports(stage, 77, reason, "the registry said no")).run()
    assert world.condition(condition)["status"] == "False"
    assert world.condition(condition)["reason"] == reason
    assert world.condition("Failed")["reason"] == reason
    assert "the registry said no" in world.condition("Failed")["message"]
    assert world.model_versions == {}


def test_an_unreachable_scanner_leaves_the_gates_unknown_and_releases_nothing():
    world = World(stored(), script=reports("scan", 69, "ScannerUnavailable", "no answer")).run()
    assert world.condition("Failed")["reason"] == "RetriesExhausted"
    assert world.condition("GatesPassed")["status"] == "Unknown"
    assert world.condition("GatesPassed")["reason"] == "ScannerUnavailable"
    assert world.model_versions == {}


@pytest.mark.parametrize(
    ("found", "status", "reason"),
    [
        (facts.scan(critical=1), "False", "Vulnerable"),
        (facts.scan(end_of_life=True), "False", "EndOfLife"),
        (facts.scan(age=timedelta(hours=25)), "Unknown", "DatabaseStale"),
        (facts.scan(age=None), "Unknown", "DatabaseStale"),
        (facts.scan(os_family="", end_of_life=None), "Unknown", "OSUnknown"),
        (facts.scan(end_of_life=None), "Unknown", "OSUnknown"),
    ],
)
def test_an_image_that_fails_or_cannot_be_judged_is_not_released(found, status, reason):
    world = World(stored(), script=says("scan", found)).run()
    assert world.condition("GatesPassed")["status"] == status
    assert world.condition("GatesPassed")["reason"] == reason
    assert world.condition("Failed")["reason"] == "GateFailed"
    assert world.model_versions == {}


def test_the_administrators_floor_holds_even_for_a_dry_run():
    vulnerable = says("scan", facts.scan(critical=2))
    dry = {"name": "vuln", "type": "Vulnerability", "vulnerability": {}, "dryRun": True}
    manifest = stored(spec__gates=[FLOOR, dry])
    assert World(manifest, script=vulnerable).run().holds("Complete")
    strict = changed(runtime(), {"spec.floor.vulnerabilities.critical": 0})
    world = World(manifest, runtime=strict, script=vulnerable).run()
    assert world.condition("Failed")["reason"] == "GateFailed"
    named = {item["name"]: item["verdict"] for item in world.status["gates"]}
    assert named == {"floor": "Pass", "vuln": "Fail", "vulnerabilities": "Fail"}


def test_an_exporter_that_disagrees_is_caught_before_any_gate():
    world = World(stored(), script=measures(ptq={"agreement": 0.4}, qat={"agreement": None})).run()
    assert world.condition("Evaluated")["reason"] == "ExporterDisagrees"
    assert world.condition("Failed")["reason"] == "GateFailed"
    assert all(item["gates"] == [] for item in world.status["candidates"])


def test_a_file_that_another_engine_quantised_itself_has_nothing_to_agree_with():
    ptq = changed(PTQ, {"ptq": {"engine": "OnnxRuntime"}})
    manifest = stored(spec__pipeline={"steps": [ptq]})
    assert World(manifest, script=measures(ptq={"agreement": None})).run().holds("Complete")


def test_a_teacher_below_its_own_minimum_stops_the_job_before_training():
    manifest = changed(distilled(), {"spec.teachers.0.minMetric": 0.95})
    world = World(manifest).run()
    assert world.condition("Evaluated")["reason"] == "TeacherTooWeak"
    assert world.condition("Failed")["reason"] == "TeacherTooWeak"
    assert "0.93" in world.condition("Failed")["message"]
    assert world.stages() == ["resolve", "preflight"]


def test_a_dry_run_is_recorded_and_does_not_block():
    slow = {"name": "lat", "type": "Latency", "latency": {"max": "1ms"}, "dryRun": True}
    world = World(stored(spec__gates=[FLOOR, slow])).run()
    assert world.holds("Complete")
    recorded = {item["name"]: (item["verdict"], item["dryRun"]) for item in world.status["gates"]}
    assert recorded["lat"] == ("Fail", True)


def test_a_noisy_latency_is_measured_again_under_another_place_and_then_fails_closed():
    gate = {"name": "lat", "type": "Latency", "latency": {"max": "8ms"}}
    world = World(stored(spec__gates=[FLOOR, gate]), script=measures(ptq={"cv": 0.9}, qat={"cv": 0.9})).run()
    assert world.stages().count("evaluate:ptq") == 2
    places = {i.output for i in world.inputs.values() if i.parameters.stage == "evaluate"}
    assert len(places) == 4
    counts = next(g["counts"] for g in world.status["candidates"][0]["gates"] if g["name"] == "lat")
    assert counts["inconclusive"] == 2
    assert world.condition("GatesPassed")["status"] == "Unknown"
    assert world.condition("GatesPassed")["reason"] == "Noisy"


def test_a_noise_that_goes_away_lets_the_candidate_pass():
    gate = {"name": "lat", "type": "Latency", "latency": {"max": "8ms"}}
    seen = []

    def script(key, given):
        if key.stage != "evaluate":
            return good(key, given)
        seen.append(given.input_hash)
        return facts.result_for(given, facts.evaluation(cv=0.9 if len(seen) == 1 else 0.01))

    world = World(stored(spec__gates=[FLOOR, gate]), script=script).run()
    assert world.holds("Complete")
    assert world.status["selected"]["step"] == "ptq"
    assert len(set(seen)) == 2


def test_a_missing_processor_feature_is_neither_pass_nor_fail():
    gate = {"name": "lat", "type": "Latency", "latency": {"max": "8ms"}}
    lacking = {"missing": ("avx512_vnni",)}
    world = World(stored(spec__gates=[FLOOR, gate]), script=measures(ptq=lacking, qat=lacking)).run()
    assert world.condition("GatesPassed")["status"] == "Unknown"
    assert world.condition("GatesPassed")["reason"] == "HardwareMismatch"


def test_a_file_the_evaluator_cannot_run_is_no_candidate_but_another_may_be():
    def script(key, given):
        if key.stage == "evaluate" and key.step == "ptq":
            return reports("evaluate", 65, "ModelInvalid", "no such operator")(key, given)
        return good(key, given)

    world = World(stored(), script=script).run()
    assert world.status["selected"]["step"] == "qat"
    assert "no such operator" in world.status["candidates"][0]["message"]


BEST = stored(
    spec__pipeline={
        "selection": "Best",
        "objective": {"metric": "latencyP95", "goal": "Minimize"},
        "steps": [PTQ, changed(QAT, {"when": {"unmet": []}})],
    }
)


@pytest.mark.parametrize(
    ("objective", "ptq", "qat", "step", "why"),
    [
        ({"metric": "latencyP95", "goal": "Minimize"}, {"p95": 7.0}, {"p95": 5.0}, "qat", "ptq 7ms, qat 5ms"),
        ({"metric": "top1", "goal": "Maximize"}, {"correct": 8_640}, {"correct": 8_630}, "ptq", "ptq 0.864"),
        ({"metric": "bytes", "goal": "Minimize"}, {"bytes_": 900}, {"bytes_": 800}, "qat", "qat 800 B"),
        ({"metric": "bytes", "goal": "Minimize"}, {}, {"correct": 8_630}, "qat", "least bytes"),
        ({"metric": "bytes", "goal": "Minimize"}, {}, {}, "ptq", "least bytes"),
        ({"metric": "bytes", "goal": "Minimize"}, {}, {"bytes_": 1, **MISS}, "ptq", "ptq 976.6 KiB"),
    ],
)
def test_the_best_candidate_that_passed_is_shipped_where_that_is_asked_for(objective, ptq, qat, step, why):
    manifest = changed(BEST, {"spec.pipeline.objective": objective})
    world = World(manifest, script=measures(ptq=ptq, qat=qat)).run()
    assert world.holds("Complete")
    assert world.status["selected"]["step"] == step
    assert why in world.status["selected"]["reason"]
    assert [s for s in world.stages() if s.startswith("evaluate")] == ["evaluate:ptq", "evaluate:qat"]


def test_the_status_tells_which_candidates_are_on_the_front_and_sums_up_the_one_that_is_shipped():
    world = World(BEST, script=measures(ptq={"p95": 7.0}, qat={"p95": 8.0, "correct": 8_600})).run()
    assert world.status["selected"]["step"] == "ptq"
    assert {c["step"]: c["paretoOptimal"] for c in world.status["candidates"]} == {"ptq": True, "qat": False}
    assert world.status["summary"]["metric"] == "top1 0.8625"
    first = World(stored()).run()
    assert "paretoOptimal" not in first.status["candidates"][0]
    assert first.status["selected"]["reason"] == "the first in the plan that passed every gate"


def test_the_default_plan_lets_quantisation_aware_training_compete_where_the_best_is_asked_for():
    pipeline = {"selection": "Best", "objective": {"metric": "top1", "goal": "Maximize"}}
    world = World(distilled(spec__pipeline=pipeline), script=measures(qat={"correct": 8_650})).run()
    assert world.status["selected"]["step"] == "qat"
    assert world.work("redistill")["state"] == "Skipped"


def test_integers_that_cost_time_are_said_aloud_and_refused_only_by_a_gate():
    ratio = Ratio(value=0.8, low=0.75, high=0.85)
    slow = facts.evaluation().model_copy(
        update={"speedup": Speedup(p50=ratio, p95=ratio), "slower_than_baseline": True, "runtime": "ort 1.20"}
    )
    world = World(stored(), script=says("evaluate", slow)).run()
    assert world.holds("Complete")
    candidate = world.status["candidates"][0]
    assert "slower than its float baseline on ort (0.8 times its speed)" in candidate["message"]
    assert candidate["results"][0]["slowerThanBaseline"] is True
    assert world.said["ptq/slower"].kind == "Warning"
    assert "ptq/slower" not in World(stored()).run().said


def test_a_drop_is_judged_on_the_same_samples():
    world = World(stored(spec__gates=[FLOOR, DROP]), script=measures(ptq={"correct": 8_600})).run()
    gate = next(item for item in world.status["gates"] if item["name"] == "drop")
    assert gate["verdict"] == "Pass"
    assert gate["observed"] == "0.0061"
    low, high = (float(end) for end in gate["interval"].split(".."))
    assert high - low < 0.006, "a paired interval is narrow"


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("scan", facts.scan(digest_of(b"another image"))),
        ("evaluate", facts.evaluation(target="elsewhere")),
    ],
)
def test_a_result_about_something_else_is_refused(stage, told):
    world = World(stored(), script=says(stage, told)).run()
    assert world.condition("Failed")["reason"] == "ResultMismatch"
    assert world.model_versions == {}


@pytest.mark.parametrize("field", ["model_digest", "golden_digest", "repository"])
def test_what_was_pushed_must_be_what_was_measured(field):
    def script(key, given):
        if key.stage != "package":
            return good(key, given)
        other = "elsewhere.example.com/x" if field == "repository" else digest_of(b"other")
        return facts.result_for(given, facts.facts_for(given).model_copy(update={field: other}))

    world = World(stored(), script=script).run()
    assert world.condition("Packaged")["reason"] == "ResultMismatch"
    assert world.model_versions == {}


def test_a_second_job_with_the_same_content_finds_the_release_and_is_satisfied():
    first = World(stored(spec__promotion=PROMOTED)).run()
    (name,) = first.model_versions
    first.model_versions[name]["spec"]["source"]["uid"] = "another-job"
    second = World(
        stored(spec__promotion=PROMOTED),
        model_versions=first.model_versions,
        promotions=first.promotions,
    ).run()
    assert second.holds("Complete")
    assert second.condition("Published")["reason"] == "AlreadyExists"
    assert not {"ModelVersion", "Promotion"} & set(second.stages())


def test_a_release_of_that_name_with_other_content_is_a_conflict():
    first = World(stored()).run()
    (name,) = first.model_versions
    first.model_versions[name]["spec"]["artifact"]["manifestDigest"] = digest_of(b"forged")
    second = World(stored(), model_versions=first.model_versions).run()
    assert second.condition("Failed")["reason"] == "NameConflict"
    assert second.condition("Published")["status"] == "False"


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        ("Succeeded", "True", "Succeeded"),
        ("RolledBack", "False", "RolledBack"),
        ("Superseded", "False", "Superseded"),
        ("Shifting", "Unknown", "Requested"),
    ],
)
def test_the_end_of_a_promotion_shows_after_the_job_is_complete(state, status, reason):
    world = World(stored(spec__promotion=PROMOTED)).run()
    (promotion,) = world.promotions.values()
    promotion["status"] = {"state": state}
    world.settle()
    assert world.condition("Promoted")["status"] == status
    assert world.condition("Promoted")["reason"] == reason
    world.promotions.clear()
    world.settle()
    assert world.status["promotions"][0]["state"] == state
    assert world.holds("Complete")
