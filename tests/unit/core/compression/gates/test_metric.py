"""Gates on a metric and on its drop."""

from __future__ import annotations

import pytest

from compression_contract.methods import Metric
from compression_contract.results import Estimate, Measurement, PairedDifference, Proportion
from compression_operator.api.compressionjob.gates import MetricDropGate, MetricGate
from compression_operator.core.compression.gates.metric import Reference, judge_drop, judge_metric
from unit.core.compression.facts import evaluation

TOP1 = Metric(name="top1")
ERROR_RATE = Metric(name="CER", direction="LowerIsBetter")
FLOOR = MetricGate(name="top1", min=0.85)
DROP = MetricDropGate(name="top1", max=0.01)


def told(**fields):
    """An evaluation with some fields replaced."""
    return evaluation().model_copy(update=fields)


def estimates(candidate, baseline=None):
    """An evaluation whose metric is no proportion."""
    beside = None if baseline is None else Measurement(estimates=(baseline,), bytes=1)
    return told(candidate=Measurement(estimates=(candidate,), bytes=1), baseline=beside, paired=())


def cer(value, low=None, high=None, samples=100):
    return Estimate(name="CER", value=value, low=low, high=high, samples=samples)


def proportions(**fields):
    return told(candidate=Measurement(proportions=(Proportion(name="top1", **fields),), bytes=1))


@pytest.mark.parametrize(
    ("facts", "confidence", "verdict", "reason"),
    [
        (evaluation(8_625), 0.95, "Pass", ""),
        (evaluation(8_300), 0.95, "Fail", "MetricBelowMinimum"),
        (evaluation(8_510), 0.95, "Inconclusive", "Inconclusive"),
        (evaluation(8_510), 0.0, "Pass", ""),
        (evaluation(8_625, samples=10_000), 0.999, "Pass", ""),
        (proportions(successes=0, samples=0), 0.95, "Error", "Contradictory"),
        (proportions(successes=11, samples=10), 0.95, "Error", "Contradictory"),
        (told(candidate=Measurement(bytes=1)), 0.95, "Error", "Missing"),
    ],
)
def test_a_proportion_is_judged_by_its_score_interval(facts, confidence, verdict, reason):
    ruling = judge_metric(FLOOR, TOP1, facts, confidence)
    assert (ruling.verdict, ruling.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("estimate", "confidence", "verdict", "reason"),
    [
        (cer(0.08, 0.06, 0.09), 0.95, "Pass", ""),
        (cer(0.12, 0.11, 0.13), 0.95, "Fail", "MetricAboveMaximum"),
        (cer(0.08), 0.0, "Pass", ""),
        (cer(0.08), 0.95, "Inconclusive", "Inconclusive"),
        (cer(0.08, 0.06, 0.09), 0.99, "Inconclusive", "Inconclusive"),
        (cer(0.08, 0.06, 0.11), 0.8, "Inconclusive", "Inconclusive"),
        (cer(8.0), 0.95, "Error", "WrongUnit"),
        (cer(0.08, samples=0), 0.95, "Error", "Missing"),
        (cer(0.08, 0.09, 0.10), 0.95, "Error", "Contradictory"),
    ],
)
def test_an_estimate_is_judged_by_the_evaluators_own_interval(estimate, confidence, verdict, reason):
    ruling = judge_metric(MetricGate(name="CER", max=0.10), ERROR_RATE, estimates(estimate), confidence)
    assert (ruling.verdict, ruling.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("facts", "verdict", "reason"),
    [
        (evaluation(8_640), "Pass", ""),
        (evaluation(8_500, discordant=300), "Fail", "DropTooLarge"),
        (evaluation(8_565, discordant=300), "Inconclusive", "Inconclusive"),
        (evaluation(8_900, discordant=400), "Pass", ""),
        (told(baseline=None), "Error", "Missing"),
        (told(candidate=Measurement(bytes=1)), "Error", "Missing"),
    ],
)
def test_a_drop_is_judged_on_paired_samples(facts, verdict, reason):
    ruling = judge_drop(DROP, TOP1, facts, None, 0.95)
    assert (ruling.verdict, ruling.reason) == (verdict, reason)


@pytest.mark.parametrize(
    "change",
    [{"samples": 9_000}, {"both": 10}, {"only_baseline": 0}, {"only_candidate": 9_999}],
)
def test_paired_counts_that_tell_another_story_than_the_totals_are_an_error(change):
    facts = evaluation(8_625)
    broken = facts.model_copy(update={"paired": (facts.paired[0].model_copy(update=change),)})
    assert judge_drop(DROP, TOP1, broken, None, 0.95).reason == "Contradictory"


def test_paired_counts_of_an_estimate_are_an_error():
    facts = estimates(cer(0.08, 0.07, 0.09), cer(0.07, 0.06, 0.08))
    paired = (evaluation().paired[0].model_copy(update={"name": "CER"}),)
    gate = MetricDropGate(name="CER", max=0.5)
    ruling = judge_drop(gate, ERROR_RATE, facts.model_copy(update={"paired": paired}), None, 0.95)
    assert ruling.reason == "Contradictory"


def test_without_pairs_the_worst_of_both_intervals_counts():
    facts = told(paired=())
    assert judge_drop(DROP, TOP1, facts, None, 0.95).verdict == "Inconclusive"
    assert judge_drop(MetricDropGate(name="top1", max=0.05), TOP1, facts, None, 0.95).verdict == "Pass"


def test_a_lower_is_better_metric_drops_when_it_rises():
    worse = estimates(cer(0.12, 0.11, 0.13), cer(0.07, 0.06, 0.08))
    better = estimates(cer(0.05, 0.04, 0.06), cer(0.09, 0.08, 0.10))
    gate = MetricDropGate(name="CER", max=0.01)
    assert judge_drop(gate, ERROR_RATE, worse, None, 0.95).verdict == "Fail"
    assert judge_drop(gate, ERROR_RATE, better, None, 0.95).verdict == "Pass"


MAP = Metric(name="mAP")
MAP_DROP = MetricDropGate(name="mAP", max=0.01)


def resampled(name, candidate, baseline, ends, **changes):
    """Two estimates with wide intervals, and their difference over the same samples."""
    difference = {
        "name": name,
        "value": round(candidate - baseline, 6),
        "low": ends[0],
        "high": ends[1],
        "samples": 100,
    }
    wide = [
        Estimate(name=name, value=value, low=0.0, high=1.0, samples=100) for value in (candidate, baseline)
    ]
    facts = estimates(*wide)
    return facts.model_copy(update={"differences": (PairedDifference(**(difference | changes)),)})


@pytest.mark.parametrize(
    ("metric", "candidate", "baseline", "low", "high", "verdict"),
    [
        (MAP, 0.50, 0.505, -0.009, 0.0, "Pass"),
        (MAP, 0.50, 0.53, -0.04, -0.02, "Fail"),
        (MAP, 0.50, 0.505, -0.02, 0.01, "Inconclusive"),
        (MAP, 0.55, 0.50, 0.02, 0.08, "Pass"),
        (ERROR_RATE, 0.055, 0.05, 0.0, 0.009, "Pass"),
        (ERROR_RATE, 0.08, 0.05, 0.02, 0.04, "Fail"),
        (ERROR_RATE, 0.055, 0.05, -0.01, 0.02, "Inconclusive"),
        (ERROR_RATE, 0.03, 0.08, -0.08, -0.02, "Pass"),
    ],
)
def test_a_drop_of_an_estimate_is_judged_by_its_resampled_difference(
    metric, candidate, baseline, low, high, verdict
):
    gate = MetricDropGate(name=metric.name, max=0.01)
    facts = resampled(metric.name, candidate, baseline, (low, high))
    ruling = judge_drop(gate, metric, facts, None, 0.95)
    assert ruling.verdict == verdict
    worse = baseline - candidate if metric is MAP else candidate - baseline
    assert float(ruling.observed) == pytest.approx(worse, abs=1e-4)


@pytest.mark.parametrize(
    ("metric", "candidate", "baseline", "low", "high", "verdict"),
    [
        (MAP, 0.48, 0.50, -0.024, -0.016, "Pass"),
        (MAP, 0.46, 0.50, -0.06, -0.03, "Fail"),
        (ERROR_RATE, 0.104, 0.10, 0.001, 0.0049, "Pass"),
        (ERROR_RATE, 0.104, 0.10, 0.001, 0.0051, "Inconclusive"),
    ],
)
def test_a_relative_drop_of_an_estimate_is_a_share_of_the_baseline(
    metric, candidate, baseline, low, high, verdict
):
    gate = MetricDropGate(name=metric.name, max=0.05, mode="Relative")
    facts = resampled(metric.name, candidate, baseline, (low, high))
    assert judge_drop(gate, metric, facts, None, 0.95).verdict == verdict


def test_a_relative_drop_from_an_error_rate_of_nothing_is_an_error():
    gate = MetricDropGate(name="CER", max=0.05, mode="Relative")
    facts = resampled("CER", 0.01, 0.0, (0.0, 0.02))
    assert judge_drop(gate, ERROR_RATE, facts, None, 0.95).reason == "WrongUnit"


def test_without_confidence_the_difference_is_a_point():
    facts = resampled("mAP", 0.50, 0.505, (-0.5, 0.5))
    assert judge_drop(MAP_DROP, MAP, facts, None, 0.0).verdict == "Pass"


@pytest.mark.parametrize(
    "change", [{"value": -0.006}, {"samples": 99}, {"low": 0.1, "high": 0.2}, {"low": -0.2, "high": -0.1}]
)
def test_a_difference_that_tells_another_story_than_the_values_is_an_error(change):
    facts = resampled("mAP", 0.50, 0.505, (-0.009, 0.0), **change)
    assert judge_drop(MAP_DROP, MAP, facts, None, 0.95).reason == "Contradictory"


def test_a_difference_of_proportions_is_an_error():
    facts = resampled("top1", 0.5, 0.5, (0.0, 0.0))
    counted = told(differences=facts.differences, paired=())
    assert judge_drop(DROP, TOP1, counted, None, 0.95).reason == "Contradictory"


def test_a_difference_counts_for_the_measured_baseline_only():
    facts = resampled("mAP", 0.50, 0.505, (-0.009, 0.0))
    reference = Reference("Fixed", "mAP", 0.9)
    assert judge_drop(MAP_DROP, MAP, facts, reference, 0.0).reason == "DropTooLarge"


def test_a_relative_drop_is_a_share_of_the_baseline():
    gate = MetricDropGate(name="top1", max=0.02, mode="Relative")
    ruling = judge_drop(gate, TOP1, evaluation(8_600), None, 0.95)
    assert ruling.verdict == "Pass"
    assert float(ruling.observed) == pytest.approx((8_661 - 8_600) / 8_661, abs=1e-4)
    nothing = judge_drop(gate, TOP1, evaluation(10, baseline=0, discordant=10), None, 0.95)
    assert nothing.reason == "WrongUnit"


@pytest.mark.parametrize(
    ("reference", "verdict", "reason"),
    [
        (Reference("Fixed", "top1", 0.86), "Pass", ""),
        (Reference("Fixed", "top1", 0.95), "Fail", "DropTooLarge"),
        (Reference("teacher large", "top1", 0.93, 2000), "Fail", "DropTooLarge"),
        (Reference("teacher large", "top5", 0.93, 2000), "Error", "Missing"),
        (Reference("teacher large", "top1", 93.0, 2000), "Error", "WrongUnit"),
    ],
)
def test_a_baseline_from_elsewhere_is_compared_without_pairs(reference, verdict, reason):
    ruling = judge_drop(DROP, TOP1, evaluation(8_661), reference, 0.95)
    assert (ruling.verdict, ruling.reason) == (verdict, reason)


def test_without_confidence_a_teachers_value_is_a_point():
    reference = Reference("teacher large", "top1", 0.8661, 2000)
    assert judge_drop(DROP, TOP1, evaluation(8_661), reference, 0.0).observed == "0"
