"""Gates on quality: a metric's own bounds, and its drop against the baseline.

Owns which numbers are compared and which interval belongs to them.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_contract.methods import Metric
from compression_contract.results import (
    RESAMPLING_CONFIDENCE,
    Estimate,
    EvaluateFacts,
    Measurement,
    PairedCounts,
    PairedDifference,
    Proportion,
)
from compression_operator.api.compressionjob.gates import MetricDropGate, MetricGate
from compression_operator.core.compression.gates.verdicts import (
    Bound,
    Reason,
    Ruling,
    error,
    held_against,
    inconclusive,
)
from compression_operator.core.compression.statistics import Interval, exactly, paired_difference, wilson

ROUNDING = 2e-6
"""How far a difference may be from that of two values: each of the three is rounded to six digits."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A baseline that was not measured beside the candidate: a fixed number, or a teacher's."""

    source: str
    metric: str
    value: float
    samples: int = 0
    """0: a number that somebody wrote, exact by definition."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """There is no number to compare."""

    reason: Reason
    message: str


def judge_metric(gate: MetricGate, metric: Metric, facts: EvaluateFacts, confidence: float) -> Ruling:
    """Hold the candidate's value against `min` and `max`."""
    bound = Bound(gate.min, gate.max, Reason.METRIC_BELOW_MINIMUM, Reason.METRIC_ABOVE_MAXIMUM)
    value = measured(metric, facts.candidate, confidence)
    if isinstance(value, Unusable):
        return _unusable(value, bound.required)
    return held_against(metric.name, value, bound)


def judge_drop(
    gate: MetricDropGate, metric: Metric, facts: EvaluateFacts, reference: Reference | None, confidence: float
) -> Ruling:
    """Hold the loss against the baseline, in the metric's better direction, against `max`."""
    bound = Bound(None, gate.max, Reason.NONE, Reason.DROP_TOO_LARGE)
    baseline = _baseline(metric, facts, reference, confidence)
    if isinstance(baseline, Unusable):
        return _unusable(baseline, bound.required)
    loss = _loss(metric, facts, reference, baseline, confidence)
    if isinstance(loss, Unusable):
        return _unusable(loss, bound.required)
    if gate.mode == "Relative":
        if baseline.point <= 0:
            problem = f"the baseline's {metric.name} is {baseline.point:g}: no relative drop exists"
            return error(Reason.WRONG_UNIT, problem, bound.required)
        # The baseline's own uncertainty is of second order here: the loss is a small part of it.
        loss = loss.scaled(1 / baseline.point)
    return held_against(f"drop of {metric.name}", loss, bound)


def measured(metric: Metric, measurement: Measurement, confidence: float) -> Interval | Unusable:
    """A metric's interval: by score for a proportion, the evaluator's own for anything else."""
    proportion = _proportion(metric.name, measurement)
    if proportion is not None:
        if not 0 < proportion.samples >= proportion.successes:
            return Unusable(Reason.CONTRADICTORY, f"{metric.name} counts more successes than samples")
        return wilson(proportion.successes, proportion.samples, confidence)
    estimate = _estimate(metric.name, measurement)
    if estimate is None or estimate.samples == 0:
        return Unusable(Reason.MISSING, f"the evaluator measured no {metric.name}")
    if metric.unit == "Fraction" and not 0 <= estimate.value <= 1:
        return Unusable(Reason.WRONG_UNIT, f"{metric.name} is {estimate.value:g}, a fraction lies in 0 to 1")
    if confidence <= 0:
        return exactly(estimate.value)
    if estimate.low is None or estimate.high is None:
        return Unusable(
            Reason.INCONCLUSIVE,
            f"the evaluator gives no interval for {metric.name}: confidence: 0 compares the point",
        )
    if not estimate.low <= estimate.value <= estimate.high:
        return Unusable(Reason.CONTRADICTORY, f"{metric.name} lies outside its own interval")
    return _wide_enough(metric.name, confidence) or Interval(estimate.value, estimate.low, estimate.high)


def _wide_enough(name: str, confidence: float) -> Unusable | None:
    """A resampled interval serves every level up to its own; it says nothing of a higher one."""
    if confidence <= RESAMPLING_CONFIDENCE:
        return None
    return Unusable(
        Reason.INCONCLUSIVE,
        f"the evaluator's interval for {name} has a confidence of {RESAMPLING_CONFIDENCE:g}: ask for no more",
    )


def _proportion(name: str, measurement: Measurement) -> Proportion | None:
    return next((item for item in measurement.proportions if item.name == name), None)


def _estimate(name: str, measurement: Measurement) -> Estimate | None:
    return next((item for item in measurement.estimates if item.name == name), None)


def _baseline(
    metric: Metric, facts: EvaluateFacts, reference: Reference | None, confidence: float
) -> Interval | Unusable:
    if reference is None:
        if facts.baseline is None:
            return Unusable(Reason.MISSING, "no baseline was measured beside the candidate")
        return measured(metric, facts.baseline, confidence)
    if reference.metric != metric.name:
        return Unusable(
            Reason.MISSING,
            f"baseline {reference.source} is given for {reference.metric}, not for {metric.name}",
        )
    if reference.samples == 0 or confidence <= 0:
        return exactly(reference.value)
    # A mean of n numbers from 0 to 1 varies no more than a proportion of n.
    if not 0 <= reference.value <= 1:
        return Unusable(
            Reason.WRONG_UNIT, f"baseline {reference.source} is {reference.value:g}, not a fraction"
        )
    return wilson(round(reference.value * reference.samples), reference.samples, confidence)


def _loss(
    metric: Metric,
    facts: EvaluateFacts,
    reference: Reference | None,
    baseline: Interval,
    confidence: float,
) -> Interval | Unusable:
    paired = next((item for item in facts.paired if item.name == metric.name), None)
    resampled = next((item for item in facts.differences if item.name == metric.name), None)
    candidate = measured(metric, facts.candidate, confidence)
    if isinstance(candidate, Unusable):
        return candidate
    if reference is None and paired is not None:
        difference = _paired(paired, facts, confidence)
    elif reference is None and resampled is not None:
        difference = _resampled(resampled, facts, confidence)
    else:
        difference = baseline.minus(candidate)
    if isinstance(difference, Unusable):
        return difference
    return difference if metric.direction == "HigherIsBetter" else difference.negated()


def _paired(paired: PairedCounts, facts: EvaluateFacts, confidence: float) -> Interval | Unusable:
    """Baseline - candidate on the same samples, after checking that all counts tell one story."""
    own = _proportion(paired.name, facts.candidate)
    beside = None if facts.baseline is None else _proportion(paired.name, facts.baseline)
    agree = (
        own is not None
        and beside is not None
        and paired.samples == own.samples == beside.samples
        and paired.both + paired.only_candidate == own.successes
        and paired.both + paired.only_baseline == beside.successes
        and paired.both + paired.only_candidate + paired.only_baseline <= paired.samples
    )
    if not agree:
        return Unusable(Reason.CONTRADICTORY, f"the paired counts of {paired.name} do not fit its totals")
    return paired_difference(
        paired.both, paired.only_baseline, paired.only_candidate, paired.samples, confidence
    )


def _resampled(difference: PairedDifference, facts: EvaluateFacts, confidence: float) -> Interval | Unusable:
    """Baseline - candidate of one resampling of both, after checking that it fits what each measured."""
    own = _estimate(difference.name, facts.candidate)
    beside = None if facts.baseline is None else _estimate(difference.name, facts.baseline)
    agree = (
        own is not None
        and beside is not None
        and difference.samples == own.samples == beside.samples
        and abs(difference.value - (own.value - beside.value)) <= ROUNDING
        and difference.low <= difference.value <= difference.high
    )
    if not agree:
        return Unusable(
            Reason.CONTRADICTORY, f"the resampled difference of {difference.name} does not fit its values"
        )
    if confidence <= 0:
        return exactly(-difference.value)
    return Interval(difference.value, difference.low, difference.high).negated()


def _unusable(value: Unusable, required: str) -> Ruling:
    if value.reason is Reason.INCONCLUSIVE:
        return inconclusive(value.reason, value.message, required=required)
    return error(value.reason, value.message, required)
