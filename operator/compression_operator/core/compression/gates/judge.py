"""From a gate and the evidence to its entry in the status.

Owns the choice of the judging function and the shape of the entry. A gate whose evidence cannot be computed
with is an Error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from compression_contract.methods import Metric
from compression_contract.results import EvaluateFacts
from compression_operator.api.compressionjob.gates import Gate
from compression_operator.api.compressionjob.status import GateCounts, GateStatus
from compression_operator.core.compression.gates.metric import Reference, judge_drop, judge_metric
from compression_operator.core.compression.gates.resources import Sizes, judge_latency, judge_size
from compression_operator.core.compression.gates.verdicts import Reason, Ruling, Verdict, error
from compression_operator.core.conditions import clip

MAX_TEXT = 64
MAX_MESSAGE = 512


@dataclass(frozen=True, slots=True)
class Evidence:
    """One candidate measured on one target, and what the numbers mean."""

    facts: EvaluateFacts
    metrics: Mapping[str, Metric]
    reference: Reference | None
    """A baseline from elsewhere; None: the one measured beside the candidate."""
    max_cv: float


def judged_on_image(gate: Gate) -> bool:
    """Whether the gate needs the pushed image, and so is judged after packaging."""
    return gate.type == "Vulnerability" or (gate.size is not None and gate.size.of == "Image")


def blocks_on_findings(gate: Gate) -> bool:
    """Whether the author's own gate on vulnerabilities may stop the release."""
    return gate.type == "Vulnerability" and not gate.dry_run


def judge(gate: Gate, evidence: Evidence) -> Ruling:
    """The verdict of a gate that is judged on a candidate's measurements."""
    try:
        return _judge(gate, evidence)
    except ValueError as problem:
        return error(Reason.CONTRADICTORY, f"the numbers cannot be computed with: {problem}")


def _judge(gate: Gate, evidence: Evidence) -> Ruling:
    facts = evidence.facts
    if gate.metric is not None:
        metric = evidence.metrics.get(gate.metric.name)
        if metric is not None:
            return judge_metric(gate.metric, metric, facts, gate.confidence)
    if gate.metric_drop is not None:
        metric = evidence.metrics.get(gate.metric_drop.name)
        if metric is not None:
            return judge_drop(gate.metric_drop, metric, facts, evidence.reference, gate.confidence)
    if gate.size is not None:
        baseline = None if facts.baseline is None else facts.baseline.bytes
        return judge_size(gate.size, Sizes(facts.candidate.bytes, baseline))
    if gate.latency is not None:
        return judge_latency(gate.latency, facts, evidence.max_cv)
    return error(Reason.MISSING, f"nothing was measured that gate {gate.name} could judge")


def entry(gate: Gate, target: str, ruling: Ruling, before: GateStatus | None) -> GateStatus:
    """The gate's entry in the status; `before` is that of an earlier measurement of the same candidate."""
    counts = (before.counts if before is not None else None) or GateCounts()
    return GateStatus(
        name=gate.name,
        type=gate.type,
        target=target,
        verdict=ruling.verdict.value,
        observed=clip(ruling.observed, MAX_TEXT) or None,
        required=clip(ruling.required, MAX_TEXT) or None,
        interval=clip(ruling.interval, MAX_TEXT) or None,
        dry_run=gate.dry_run,
        counts=_counted(counts, ruling.verdict),
        reason=ruling.reason.value or None,
        message=clip(ruling.message, MAX_MESSAGE) or None,
    )


def _counted(counts: GateCounts, verdict: Verdict) -> GateCounts:
    field = {
        Verdict.PASS: "successful",
        Verdict.FAIL: "failed",
        Verdict.INCONCLUSIVE: "inconclusive",
        Verdict.ERROR: "error",
    }[verdict]
    return counts.model_copy(update={field: getattr(counts, field) + 1})


def may_repeat(gate: Gate, ruling: Ruling, after: GateStatus) -> bool:
    """Whether the candidate is measured once more for this gate's sake."""
    counts = after.counts or GateCounts()
    match ruling.verdict:
        case Verdict.PASS:
            return False
        case Verdict.FAIL:
            return counts.failed <= gate.limits.failure
        case Verdict.INCONCLUSIVE:
            return ruling.repeatable and counts.inconclusive <= gate.limits.inconclusive
        case Verdict.ERROR:
            return ruling.repeatable and counts.error <= gate.limits.error
        case _:
            assert_never(ruling.verdict)
