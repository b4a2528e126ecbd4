"""The choice between candidates that all passed: the Pareto front, and the best upon it.

Owns the order between measured candidates. Must not know gates, holds or what follows from the choice.
Source: Pareto dominance as in Deb, "Multi-Objective Optimization using Evolutionary Algorithms" (2001).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from compression_operator.api.compressionjob.evaluation import Metric
from compression_operator.api.compressionjob.status import CandidateStatus, TargetResult
from compression_operator.core.compression.gates.resources import bytes_text

LATENCY = "latencyP95"
BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Scale:
    """What candidates are compared by, on one target: metrics with their directions, latency, bytes."""

    metrics: tuple[Metric, ...]
    target: str

    def losses(self, candidate: CandidateStatus) -> Mapping[str, float]:
        """Every measure by name, turned so that less is better; what was not measured is infinitely bad."""
        result = next((item for item in candidate.results if item.target == self.target), None)
        values = {metric.name: _metric(result, metric) for metric in self.metrics}
        return {**values, LATENCY: _latency(result), BYTES: _bytes(result)}

    def shown(self, candidate: CandidateStatus, name: str) -> str:
        """A measure of a candidate, for a sentence."""
        loss = self.losses(candidate)[name]
        if loss == inf:
            return f"{candidate.step} not measured"
        if name == BYTES:
            return f"{candidate.step} {bytes_text(int(loss))}"
        return f"{candidate.step} {loss:g}ms" if name == LATENCY else f"{candidate.step} {abs(loss):.6g}"


def front(candidates: Sequence[CandidateStatus], scale: Scale) -> tuple[CandidateStatus, ...]:
    """Those that no other one dominates: none is at least as good in every measure and better in one."""
    losses = [scale.losses(item) for item in candidates]
    return tuple(
        item
        for item, own in zip(candidates, losses, strict=True)
        if not any(_dominates(other, own) for other in losses)
    )


def best(candidates: Sequence[CandidateStatus], measure: str, scale: Scale) -> CandidateStatus:
    """The best of the front by one measure; of equals the better by the main metric, then the earlier.

    Args:
        candidates: at least one, in the plan's order.
        measure: one of the scale's metrics, latencyP95 or bytes.
        scale: its first metric is the main one.
    """
    main = scale.metrics[0].name

    def rank(candidate: CandidateStatus) -> tuple[float, float]:
        losses = scale.losses(candidate)
        return losses[measure], losses[main]

    return min(front(candidates, scale), key=rank)


def _dominates(other: Mapping[str, float], own: Mapping[str, float]) -> bool:
    return all(other[name] <= own[name] for name in own) and any(other[name] < own[name] for name in own)


def _metric(result: TargetResult | None, metric: Metric) -> float:
    found = next((item for item in result.metrics if item.name == metric.name), None) if result else None
    if found is None:
        return inf
    return -float(found.value) if metric.direction == "HigherIsBetter" else float(found.value)


def _latency(result: TargetResult | None) -> float:
    p95 = result.latency.p95 if result is not None and result.latency is not None else None
    return float(p95.removesuffix("ms")) if p95 else inf


def _bytes(result: TargetResult | None) -> float:
    return float(result.bytes) if result is not None and result.bytes is not None else inf
