"""The choice of the judging function, the entry in the status, and repetitions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_contract.methods import Metric
from compression_contract.results import Estimate, Measurement
from compression_operator.api.compressionjob.gates import Gate
from compression_operator.api.compressionjob.status import GateCounts
from compression_operator.core.compression.gates.judge import (
    Evidence,
    entry,
    judge,
    judged_on_image,
    may_repeat,
)
from compression_operator.core.compression.gates.verdicts import Reason, Ruling, Verdict
from unit.core.compression.facts import evaluation

METRICS = {"top1": Metric(name="top1"), "mAP": Metric(name="mAP", unit="Raw")}


def gate(kind, member, settings=None, **fields):
    return Gate.model_validate({"name": "g", "type": kind, member: settings or {}, **fields})


FLOOR = gate("Metric", "metric", {"name": "top1", "min": 0.85})
DROP = gate("MetricDrop", "metricDrop", {"name": "top1", "max": 0.01})
SIZE = gate("Size", "size", {"minRatio": 3.0})
LATENCY = gate("Latency", "latency", {"max": "8ms"})
IMAGE_SIZE = gate("Size", "size", {"max": "1Gi", "of": "Image"})
FINDINGS = gate("Vulnerability", "vulnerability")


def evidence(facts=None):
    return Evidence(facts or evaluation(), METRICS, None, 0.25)


@pytest.mark.parametrize("asked", [FLOOR, DROP, SIZE, LATENCY])
def test_each_type_is_judged_on_its_measurement(asked):
    assert judge(asked, evidence()).verdict == "Pass"
    assert not judged_on_image(asked)


@pytest.mark.parametrize("asked", [IMAGE_SIZE, FINDINGS])
def test_some_gates_need_the_image(asked):
    assert judged_on_image(asked)


@pytest.mark.parametrize(
    "asked",
    [
        gate("Metric", "metric", {"name": "top5", "min": 0.9}),
        gate("MetricDrop", "metricDrop", {"name": "top5", "max": 0.1}),
        FINDINGS,
    ],
)
def test_what_was_not_measured_is_an_error(asked):
    ruling = judge(asked, evidence())
    assert (ruling.verdict, ruling.reason) == ("Error", "Missing")


def test_numbers_that_cannot_be_computed_with_are_an_error():
    wild = Estimate.model_construct(name="mAP", value=float("nan"), low=None, high=None, samples=3)
    measured = Measurement.model_construct(
        proportions=(), estimates=(wild,), latency=None, bytes=1, peak_resident_bytes=None
    )
    facts = evaluation().model_copy(update={"candidate": measured})
    ruling = judge(gate("Metric", "metric", {"name": "mAP", "min": 0.1}, confidence=0), evidence(facts))
    assert (ruling.verdict, ruling.reason) == ("Error", "Contradictory")


@given(
    st.floats(allow_nan=True, allow_infinity=True),
    st.one_of(st.none(), st.floats()),
    st.one_of(st.none(), st.floats()),
    st.sampled_from([0.0, 0.95]),
)
def test_a_metric_gate_never_passes_on_what_is_no_number_above_its_minimum(value, low, high, confidence):
    wild = Estimate.model_construct(name="mAP", value=value, low=low, high=high, samples=3)
    measured = Measurement.model_construct(
        proportions=(), estimates=(wild,), latency=None, bytes=1, peak_resident_bytes=None
    )
    facts = evaluation().model_copy(update={"candidate": measured})
    asked = gate("Metric", "metric", {"name": "mAP", "min": 0.5}, confidence=confidence)
    if judge(asked, evidence(facts)).verdict is Verdict.PASS:
        assert value >= 0.5
        assert confidence == 0 or (low is not None and low >= 0.5)


def test_an_entry_keeps_count_of_all_measurements():
    first = entry(LATENCY, "ort", Ruling(Verdict.INCONCLUSIVE, Reason.NOISY, "busy"), None)
    second = entry(LATENCY, "ort", Ruling(Verdict.PASS, observed="6ms"), first)
    assert second.counts == GateCounts(successful=1, inconclusive=1)
    assert second.verdict == "Pass"
    assert second.message is None
    assert entry(LATENCY, "ort", Ruling(Verdict.FAIL, message="x" * 900), None).message.endswith("…")


@pytest.mark.parametrize(
    ("verdict", "repeatable", "limits", "times", "again"),
    [
        (Verdict.PASS, True, {}, 1, False),
        (Verdict.FAIL, False, {"failure": 0}, 1, False),
        (Verdict.FAIL, False, {"failure": 1}, 1, True),
        (Verdict.FAIL, False, {"failure": 1}, 2, False),
        (Verdict.INCONCLUSIVE, True, {"inconclusive": 1}, 1, True),
        (Verdict.INCONCLUSIVE, True, {"inconclusive": 1}, 2, False),
        (Verdict.INCONCLUSIVE, False, {"inconclusive": 9}, 1, False),
        (Verdict.ERROR, True, {"error": 3}, 3, True),
        (Verdict.ERROR, True, {"error": 3}, 4, False),
    ],
)
def test_a_measurement_is_repeated_only_within_the_gates_limits(verdict, repeatable, limits, times, again):
    asked = gate("Latency", "latency", {"max": "8ms"}, limits=limits)
    ruling, after = Ruling(verdict, repeatable=repeatable), None
    for _ in range(times):
        after = entry(asked, "ort", ruling, after)
    assert may_repeat(asked, ruling, after) is again
