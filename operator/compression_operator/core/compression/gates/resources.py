"""Gates on what a model costs: its size and its latency.

Owns which bytes and which milliseconds are compared; both compare with the baseline of the same run.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_contract.results import EvaluateFacts, Latency
from compression_operator.api.compressionjob.gates import LatencyGate, SizeGate
from compression_operator.api.scalars import parse_quantity
from compression_operator.core.compression.gates.verdicts import (
    Bound,
    Reason,
    Ruling,
    Verdict,
    error,
    held_against,
    inconclusive,
    number,
)
from compression_operator.core.compression.statistics import exactly


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes that are deployed, and those of the float baseline's file; None where nobody measured."""

    deployed: int
    baseline: int | None


def bytes_text(count: float) -> str:
    """Bytes for people, in binary units."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{number(round(count, 1))} {unit}"
        count /= 1024
    return f"{number(round(count, 1))} GiB"


def judge_size(gate: SizeGate, sizes: Sizes) -> Ruling:
    """Hold bytes against `max`, and the baseline's bytes by the deployed ones against `minRatio`."""
    if sizes.deployed < 1:
        return error(Reason.MISSING, "the deployed file has no bytes")
    rulings = []
    if gate.max is not None:
        limit = float(parse_quantity(gate.max))
        fits = sizes.deployed <= limit
        text = "" if fits else f"{bytes_text(sizes.deployed)} deployed: required is <={bytes_text(limit)}"
        verdict, reason = (Verdict.PASS, Reason.NONE) if fits else (Verdict.FAIL, Reason.TOO_LARGE)
        rulings.append(Ruling(verdict, reason, text, bytes_text(sizes.deployed), f"<={bytes_text(limit)}"))
    if gate.min_ratio is not None:
        bound = Bound(gate.min_ratio, None, Reason.TOO_LARGE, Reason.NONE)
        if sizes.baseline:
            rulings.append(held_against("size ratio", exactly(sizes.baseline / sizes.deployed), bound))
        else:
            rulings.append(
                error(Reason.MISSING, "no float file was measured to compare with", bound.required)
            )
    return joined(rulings)


def judge_latency(gate: LatencyGate, facts: EvaluateFacts, max_cv: float) -> Ruling:
    """Hold a percentile against `max`, and the speed-up over the baseline against `minSpeedup`."""
    if facts.node.missing:
        lacking = ", ".join(facts.node.missing)
        message = f"processor {facts.node.cpu_model} lacks {lacking}: choose another node"
        return inconclusive(Reason.HARDWARE_MISMATCH, message)
    candidate = facts.candidate.latency
    baseline = facts.baseline.latency if facts.baseline else None
    if candidate is None or percentile(candidate, gate.percentile) <= 0:
        return error(Reason.MISSING, "the evaluator measured no latency")
    rulings = []
    if gate.max is not None:
        rulings.append(_within(gate, gate.max.total_seconds() * 1000, candidate, max_cv))
    if gate.min_speedup is not None:
        rulings.append(_speedup(gate, candidate, baseline, max_cv))
    return joined(rulings)


def percentile(latency: Latency, name: str) -> float:
    """Milliseconds of a percentile, by its name in a gate."""
    return {"P50": latency.p50, "P90": latency.p90, "P95": latency.p95, "P99": latency.p99}[name]


def _within(gate: LatencyGate, limit: float, candidate: Latency, max_cv: float) -> Ruling:
    value = percentile(candidate, gate.percentile)
    observed, required = f"{number(value)}ms", f"<={number(limit)}ms"
    noisy = _noisy(candidate, max_cv, required)
    if noisy is not None:
        return noisy
    if value <= limit:
        return Ruling(Verdict.PASS, observed=observed, required=required)
    message = f"{gate.percentile} is {observed}: required is {required}"
    return Ruling(Verdict.FAIL, Reason.TOO_SLOW, message, observed, required)


def _speedup(gate: LatencyGate, candidate: Latency, baseline: Latency | None, max_cv: float) -> Ruling:
    bound = Bound(gate.min_speedup, None, Reason.TOO_SLOW, Reason.NONE)
    if baseline is None:
        return error(Reason.MISSING, "no baseline latency was measured in the same run", bound.required)
    noisy = _noisy(candidate, max_cv, bound.required) or _noisy(baseline, max_cv, bound.required)
    if noisy is not None:
        return noisy
    ratio = percentile(baseline, gate.percentile) / percentile(candidate, gate.percentile)
    return held_against(f"speed-up of {gate.percentile}", exactly(ratio), bound)


def _noisy(latency: Latency, max_cv: float, required: str) -> Ruling | None:
    if latency.cv <= max_cv:
        return None
    return inconclusive(
        Reason.NOISY,
        f"rounds differ by a coefficient of variation of {number(latency.cv)}, above maxCV {number(max_cv)}: "
        "the node was busy",
        observed=f"cv {number(latency.cv)}",
        required=required,
        repeatable=True,
    )


_WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


def joined(rulings: list[Ruling]) -> Ruling:
    """Several bounds of one gate: the worst verdict counts, all numbers are shown."""
    if not rulings:
        return error(Reason.MISSING, "the gate has no bound")
    worst = min(rulings, key=lambda ruling: _WORST_FIRST.index(ruling.verdict))
    return Ruling(
        worst.verdict,
        worst.reason,
        worst.message,
        observed=", ".join(ruling.observed for ruling in rulings if ruling.observed),
        required=", ".join(ruling.required for ruling in rulings if ruling.required),
        interval=worst.interval,
        repeatable=worst.repeatable,
    )
