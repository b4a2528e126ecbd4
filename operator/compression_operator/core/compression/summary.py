"""What a run came to, as the page is told that people read: a bounded summary of the status.

Owns the translation of the status to the contract's summary. It repeats verdicts and draws none, and takes in
nothing that may change after the end, so that it is the same each time. Must not know how a page looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from compression_contract.inputs import ReportedArtifact, ReportInput
from compression_contract.report import (
    CandidateSummary,
    GateVerdict,
    Measured,
    NamedDigest,
    RunSummary,
    ScanSummary,
    StepSummary,
    Value,
)
from compression_contract.results import Latency
from compression_operator.api.compressionjob.status import (
    CandidateStatus,
    CompressionJobStatus,
    GateStatus,
    LatencyResult,
    MetricValues,
    TargetResult,
    Work,
)
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.plan import Part, Task, work_of
from compression_operator.core.compression.sources import reference
from compression_operator.core.compression.validity import TRAINING
from compression_operator.core.compression.words import On
from compression_operator.core.conditions import clip
from compression_operator.core.observed import Identity

MAX_ARTIFACTS: Final = 64
MAX_SENTENCE: Final = 160
"""A page repeats up to sixteen gates of twelve candidates; their sentences are cut to what a table holds."""


def report_input(plan: Effective, status: CompressionJobStatus, identity: Identity) -> ReportInput:
    """What the page of an ended run is drawn from.

    Raises:
        LookupError: the run has not ended.
    """
    return ReportInput(
        task=plan.spec.task,
        summary=_summary(plan, status, identity),
        artifacts=tuple(_artifacts(plan, status))[:MAX_ARTIFACTS],
    )


def has_evidence(plan: Effective, status: CompressionJobStatus) -> bool:
    """Whether some step has left something to report on."""
    return any(work_of(status, Task(Part.STEP, step.name)).artifact is not None for step in plan.steps)


def _summary(plan: Effective, status: CompressionJobStatus, identity: Identity) -> RunSummary:
    outcome, reason, message = _end(status)
    spec, image = plan.spec, status.image
    first = status.candidates[0] if status.candidates else None
    return RunSummary(
        namespace=identity.namespace,
        name=identity.name,
        uid=identity.uid,
        model=spec.model.name,
        version=spec.model.version or "",
        student=spec.student.arch or "",
        outcome=outcome,
        reason=reason,
        message=clip(message, 512),
        started=status.start_time,
        ended=status.completion_time,
        steps=tuple(_step(plan, work_of(status, Task(Part.STEP, step.name))) for step in plan.steps),
        teachers=tuple(Value(name=item.name, value=float(item.value)) for item in status.teachers),
        baseline=tuple(_baseline(plan, first)),
        candidates=tuple(_candidate(plan, status, item) for item in status.candidates),
        selected=status.selected.step if status.selected is not None else "",
        image=f"{image.repository}@{image.manifest_digest}" if image is not None else "",
        image_bytes=(image.bytes if image is not None else None) or 0,
        scan=_scan(status),
        lower_is_better=tuple(m.name for m in plan.metrics if m.direction == "LowerIsBetter"),
        digests=tuple(NamedDigest(name=name, digest=digest) for name, digest in _digests(plan) if digest),
        spec_hash=status.spec_hash,
    )


def _end(status: CompressionJobStatus) -> tuple[Literal["Complete", "Failed"], str, str]:
    for condition in status.conditions:
        if condition.type == On.COMPLETE and condition.status == "True":
            return "Complete", condition.reason, condition.message
        if condition.type == On.FAILED and condition.status == "True":
            return "Failed", condition.reason, condition.message
    raise LookupError("the run has not ended")


def _step(plan: Effective, work: Work) -> StepSummary:
    step, begun, ended = plan.step(work.name), work.start_time, work.completion_time
    seconds = (ended - begun).total_seconds() if begun is not None and ended is not None else None
    return StepSummary(
        name=step.name,
        type=step.type,
        source=step.from_,
        state=work.state,
        seconds=None if seconds is None else max(seconds, 0.0),
        attempts=1 + work.attempts.retryable + work.attempts.infra,
        message=clip(work.message or "", MAX_SENTENCE),
    )


def _candidate(plan: Effective, status: CompressionJobStatus, item: CandidateStatus) -> CandidateSummary:
    shipped = status.selected is not None and status.selected.step == item.step
    # The gates on the image were judged after the candidate's own, and stand with the run.
    gates = status.gates if shipped else item.gates
    return CandidateSummary(
        step=item.step,
        type=plan.step(item.step).type,
        state=item.state or "Pending",
        message=clip(item.message or "", MAX_SENTENCE),
        results=tuple(_measured(plan, result) for result in item.results),
        gates=tuple(_gate(gate) for gate in gates),
    )


def _measured(plan: Effective, result: TargetResult) -> Measured:
    return Measured(
        **_configuration(plan, result.target),
        samples=result.samples,
        metrics=_values(result.metrics),
        latency=_latency(result.latency),
        bytes=result.bytes or 0,
        peak_resident_bytes=result.peak_memory,
        agreement=None if result.agreement is None else float(result.agreement),
        cpu_model=(result.node.cpu_model if result.node is not None else None) or "",
    )


def _baseline(plan: Effective, candidate: CandidateStatus | None) -> Iterator[Measured]:
    """The float model, as it was measured beside the first candidate."""
    for result in candidate.results if candidate is not None else ():
        baseline = result.baseline
        if baseline is not None:
            yield Measured(
                **_configuration(plan, result.target),
                samples=result.samples,
                metrics=_values(baseline.metrics),
                latency=_latency(baseline.latency),
                bytes=baseline.bytes or 0,
            )


def _configuration(plan: Effective, target: str) -> dict[str, str]:
    found = next(item for item in plan.targets if item.name == target)
    return {"target": target, "runtime": found.runtime, "format": found.format}


def _values(metrics: MetricValues) -> tuple[Value, ...]:
    return tuple(
        Value(name=item.name, value=float(item.value), low=_number(item.low), high=_number(item.high))
        for item in metrics
    )


def _latency(found: LatencyResult | None) -> Latency | None:
    if found is None:
        return None
    texts = (found.p50, found.p90, found.p95, found.p99, found.cv)
    p50, p90, p95, p99, cv = (_number((text or "").removesuffix("ms")) or 0.0 for text in texts)
    return Latency(p50=p50, p90=p90, p95=p95, p99=p99, cv=cv)


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _gate(gate: GateStatus) -> GateVerdict:
    return GateVerdict(
        name=gate.name,
        type=gate.type or "",
        target=gate.target or "",
        verdict=gate.verdict,
        observed=gate.observed or "",
        required=gate.required or "",
        interval=gate.interval or "",
        dry_run=gate.dry_run,
        message=clip(gate.message or "", MAX_SENTENCE),
    )


def _scan(status: CompressionJobStatus) -> ScanSummary | None:
    scan = status.scan
    if scan is None:
        return None
    counts = scan.counts.model_dump(exclude_none=True) if scan.counts is not None else {}
    return ScanSummary(
        scanner=scan.scanner or "", counts=counts, database=scan.db_updated_at, system=scan.os or ""
    )


def _digests(plan: Effective) -> Iterator[tuple[str, str | None]]:
    resolved, snapshot = plan.resolved, plan.snapshot
    yield "dataset", resolved.dataset_digest
    yield "student", resolved.student_digest
    yield "code", resolved.code_digest
    yield from ((f"teacher {item.name}", item.digest) for item in resolved.teacher_digests)
    yield "runner", snapshot.runner
    yield "tools", snapshot.tools
    yield "serving base", snapshot.serving_base
    yield from ((f"evaluator {name}", image) for name, image in sorted(snapshot.evaluators.items()))


def _artifacts(plan: Effective, status: CompressionJobStatus) -> Iterator[ReportedArtifact]:
    for step in plan.steps:
        made = work_of(status, Task(Part.STEP, step.name)).artifact
        if made is not None:
            role: Literal["train", "candidate"] = "train" if step.type in TRAINING else "candidate"
            yield ReportedArtifact(step=step.name, role=role, artifact=reference(made))
    measured = [(item.step, result) for item in status.candidates for result in item.results]
    stored = [(step, r.target, r.evaluation) for step, r in measured if r.evaluation is not None]
    for name, target, found in stored:
        yield ReportedArtifact(step=name, role="evaluation", target=target, artifact=reference(found))
    scanned = work_of(status, Task(Part.SCAN)).artifact
    if scanned is not None:
        yield ReportedArtifact(step="", role="scan", artifact=reference(scanned))
