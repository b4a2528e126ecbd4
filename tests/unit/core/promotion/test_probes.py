"""What a probe's answer means, and what it is asked."""

from __future__ import annotations

import pytest

from compression_contract.base import digest_of
from compression_contract.results import ProbeFacts, StageResult, SubjectReport
from compression_operator.core.observed import ChildJob, PodView, Terminated
from compression_operator.core.promotion.probes import milliseconds, read
from unit.core.promotion.world import START, World, version

HASH = digest_of(b"question")
GOOD = SubjectReport(name="pod", top1_agreement=0.99, max_absolute_difference=0.01)


def job(facts: ProbeFacts) -> ChildJob:
    """A probe Job that ended with these facts."""
    text = StageResult(input_hash=HASH, facts=facts).model_dump_json(exclude_none=True)
    ended = Terminated(0, "Completed", text, START)
    pod = PodView(name="x", uid="p", owner_uid="j", phase="Succeeded", terminated=ended)
    return ChildJob("probe", "j", "o", "probe", HASH, START, pods=(pod,))


ANSWERS = {
    "as expected": (
        ProbeFacts(passes=2, failures=0, subjects=(GOOD,)),
        "Passed",
        "2 passes over 1 pods, top-1",
    ),
    "without numbers": (
        ProbeFacts(passes=1, failures=0, subjects=(SubjectReport(name="pod"),)),
        "Passed",
        "1 passes over 1 pods",
    ),
    "one pod wrong": (
        ProbeFacts(passes=1, failures=1, subjects=(GOOD, SubjectReport(name="b", reason="TooSlow"))),
        "Failed",
        "b: TooSlow",
    ),
    "a pod that is gone was wrong": (
        ProbeFacts(passes=1, failures=1, subjects=(GOOD, SubjectReport(name="gone", reason="Unreachable"))),
        "Error",
        "gone went away",
    ),
    "nothing was probed": (
        ProbeFacts(passes=0, failures=0, subjects=(GOOD,)),
        "Error",
        "without a single pass",
    ),
}


@pytest.mark.parametrize(("facts", "verdict", "detail"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_a_pass_only_if_every_pod_answered_as_expected(facts, verdict, detail):
    answer = read(job(facts), frozenset({"pod", "b"}))
    assert answer.verdict == verdict
    assert detail in answer.detail


@pytest.mark.parametrize(
    ("text", "value"), [("6.1ms", 6.1), ("12ms", 12.0), (None, None), ("fast", None), ("1s", None)]
)
def test_a_latency_is_read_in_milliseconds_or_not_at_all(text, value):
    assert milliseconds(text) == value


def test_a_release_without_measured_latency_is_probed_without_a_limit():
    evaluation = {"target": "ort", "runtime": "onnxruntime", "samples": 1, "metrics": []}
    world = (
        World().settle().ask().change(version=version(evaluation=evaluation)).settle().preview_runs().settle()
    )
    assert world.promotions["fmnist-new"].probes


def test_a_probe_allows_a_multiple_of_the_measured_latency_and_the_cost_of_a_request():
    world = World().settle().ask().settle().preview_runs().settle()
    assert world.asked[-1]["maxLatencyP95Ms"] == pytest.approx(6.1 * 3 + 50)
