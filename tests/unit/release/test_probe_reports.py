"""Reports of probed pods: reasons by tolerance, and facts that fit a termination message."""

import pytest

from compression_contract.base import canonical_json
from compression_contract.inputs import ProbeInput, ProbeSubject
from compression_contract.results import StageResult, SubjectReport
from compression_contract.served_model import Tolerance
from compression_jobs.stages.probe import Comparison, Count, fitted, judged

DIGEST = "sha256:" + "a" * 64


def expected(limit: float | None = 10.0) -> ProbeInput:
    return ProbeInput(
        model="m",
        subjects=(ProbeSubject(name="p", address="10.0.0.1"),),
        artifact_digest=DIGEST,
        golden_digest=DIGEST,
        tolerance=Tolerance(max_absolute_difference=0.05, top1_agreement=0.9),
        max_latency_p95_ms=limit,
    )


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Comparison(1.0, 0.0, 1.0), ""),
        (Comparison(0.9, 0.05, 10.0), ""),
        (Comparison(1.0, 0.0501, 1.0), "WrongAnswers"),
        (Comparison(1.0, None, 1.0), "WrongAnswers"),
        (Comparison(0.89, 0.0, 1.0), "WrongAnswers"),
        (Comparison(1.0, 0.0, 10.01), "TooSlow"),
        (Comparison(0.5, 0.0, 99.0), "WrongAnswers"),
    ],
)
def test_a_pod_is_judged_by_tolerance_and_latency(found, reason):
    report = judged("p", found, expected())
    assert report.reason == reason
    assert bool(report.message) == bool(reason)


def test_without_a_limit_no_pod_is_too_slow():
    assert judged("p", Comparison(1.0, 0.0, 1e6), expected(None)).reason == ""


@pytest.mark.parametrize("count", [1, 4, 16])
@pytest.mark.parametrize("reason", ["", "WrongAnswers"])
def test_facts_of_many_pods_fit_and_keep_every_name_and_reason(count, reason):
    reports = [
        SubjectReport(
            name=f"{number:02}" + "n" * 61,
            reason=reason,
            message="m" * 200 if reason else "",
            top1_agreement=0.123456,
            max_absolute_difference=0.123456,
            latency_p95_ms=1234.567,
        )
        for number in range(count)
    ]
    facts = fitted(Count(7, 3), reports, reports[:4])
    result = StageResult(input_hash=DIGEST, facts=facts)
    assert len(canonical_json(result.wire())) <= 3072
    assert [(one.name, one.reason) for one in facts.subjects] == [(one.name, reason) for one in reports]
    assert (facts.passes, facts.failures) == (7, 3)


@pytest.mark.parametrize(
    ("reasons", "failures", "errors"),
    [
        (("", ""), 0, 0),
        (("", "Unreachable"), 0, 1),
        (("WrongAnswers", ""), 1, 0),
        (("Unreachable", "NotReady"), 1, 0),
        (("Unreachable", "Unreachable"), 0, 1),
    ],
)
def test_a_pass_without_an_answer_is_an_error_unless_another_pod_answered_wrongly(reasons, failures, errors):
    counted = Count(4, 1, 1).after([SubjectReport(name="p", reason=reason) for reason in reasons])
    assert counted == Count(5, 1 + failures, 1 + errors)


def test_a_single_pods_message_is_kept_whole():
    report = SubjectReport(name="p", reason="Unreachable", message="m" * 200)
    assert fitted(Count(1, 1), [report], []).subjects[0].message == "m" * 200
