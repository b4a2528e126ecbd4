"""A candidate's measurements, as the status keeps them for people.

Owns the rendering of numbers: text with units, never a bare float. Must not judge them.
"""

from __future__ import annotations

from compression_contract.results import EvaluateFacts, Latency, Measurement, StageResult
from compression_operator.api.compressionjob.status import (
    Artifact,
    BaselineResult,
    LatencyResult,
    MetricValue,
    Node,
    Paired,
    Summary,
    TargetResult,
)
from compression_operator.core.compression.gates.resources import bytes_text
from compression_operator.core.compression.statistics import wilson

SHOWN_CONFIDENCE = 0.95


def text(value: float) -> str:
    """A measured number with the digits it deserves."""
    return f"{value:.6g}"


def metric_values(measurement: Measurement, names: tuple[str, ...]) -> tuple[MetricValue, ...]:
    """The metrics that were asked for, in that order; a proportion with its 95 % score interval."""
    values: dict[str, MetricValue] = {}
    asked = [item for item in measurement.proportions if item.name in names]
    for proportion in asked:
        if 0 < proportion.samples >= proportion.successes:
            interval = wilson(proportion.successes, proportion.samples, SHOWN_CONFIDENCE)
            ends = {"low": f"{interval.low:.4f}", "high": f"{interval.high:.4f}"}
            value = text(interval.point)
            samples = proportion.samples
            values[proportion.name] = MetricValue(name=proportion.name, value=value, samples=samples, **ends)
    for item in (item for item in measurement.estimates if item.name in names):
        low = None if item.low is None else text(item.low)
        high = None if item.high is None else text(item.high)
        value = text(item.value)
        samples = item.samples
        values[item.name] = MetricValue(name=item.name, value=value, low=low, high=high, samples=samples)
    return tuple(values[name] for name in names if name in values)


def latency_result(latency: Latency | None) -> LatencyResult | None:
    """Percentiles with their unit."""
    if latency is None:
        return None
    return LatencyResult(
        p50=f"{text(latency.p50)}ms",
        p90=f"{text(latency.p90)}ms",
        p95=f"{text(latency.p95)}ms",
        p99=f"{text(latency.p99)}ms",
        cv=text(latency.cv),
    )


def baseline_result(measurement: Measurement | None, names: tuple[str, ...]) -> BaselineResult | None:
    """The baseline's side of a measurement."""
    if measurement is None:
        return None
    return BaselineResult(
        metrics=metric_values(measurement, names),
        latency=latency_result(measurement.latency),
        bytes=measurement.bytes,
    )


def artifact_of(result: StageResult) -> Artifact | None:
    """What a stage stored."""
    if result.artifact is None:
        return None
    return Artifact(
        uri=result.artifact.uri, manifest_digest=result.artifact.digest, bytes=result.artifact_bytes
    )


def target_result(
    facts: EvaluateFacts, result: StageResult, measurement_round: int, names: tuple[str, ...]
) -> TargetResult:
    """One target's entry of a candidate; of its metrics those that were asked for."""
    paired = {item.name: item for item in facts.paired if item.name in names}
    return TargetResult(
        target=facts.target,
        samples=facts.samples,
        metrics=metric_values(facts.candidate, names),
        latency=latency_result(facts.candidate.latency),
        bytes=facts.candidate.bytes,
        speedup=None if facts.speedup is None else text(facts.speedup.p95.value),
        slower_than_baseline=facts.slower_than_baseline or None,
        runtime=facts.runtime or None,
        peak_memory=facts.candidate.peak_resident_bytes,
        baseline=baseline_result(facts.baseline, names),
        paired=tuple(
            Paired(
                name=item.name,
                samples=item.samples,
                both=item.both,
                only_candidate=item.only_candidate,
                only_baseline=item.only_baseline,
            )
            for item in paired.values()
        ),
        agreement=None if facts.agreement is None else text(facts.agreement.value),
        node=Node(
            cpu_model=facts.node.cpu_model,
            features=tuple(word[:32] for word in facts.node.features),
            missing=tuple(word[:32] for word in facts.node.missing),
        ),
        evaluation=artifact_of(result),
        golden_digest=facts.golden_digest,
        predictions_digest=facts.predictions_digest,
        model_digest=facts.model_digest,
        round=measurement_round or None,
    )


def summary(result: TargetResult) -> Summary:
    """One line for a table: the main metric, and the size with its ratio to the baseline."""
    metric = f"{result.metrics[0].name} {result.metrics[0].value}" if result.metrics else None
    size = bytes_text(result.bytes or 0)
    if result.baseline is not None and result.baseline.bytes and result.bytes:
        size = f"{size} ({result.baseline.bytes / result.bytes:.1f}x smaller)"
    return Summary(metric=metric, size=size)
