"""Judgement of one candidate: from its measurements over its gates to Passed, Rejected or Held.

Owns the use of the gates within a run and the repetition of measurements that noise may have decided. Must
not choose between candidates (see `selection`).
"""

from __future__ import annotations

from compression_contract.exitcodes import ExitClass
from compression_contract.methods import Metric
from compression_contract.results import EvaluateFacts, StageResult
from compression_operator.api.compressionjob.gates import Gate
from compression_operator.api.compressionjob.status import (
    BaselineStatus,
    CandidateStatus,
    GateStatus,
    Hold,
    TargetResult,
)
from compression_operator.core.compression import measurements
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.gates.judge import (
    Evidence,
    entry,
    judge,
    judged_on_image,
    may_repeat,
)
from compression_operator.core.compression.gates.metric import Reference
from compression_operator.core.compression.passage import MAX_TEXT, Passage
from compression_operator.core.compression.plan import Task, candidate_of
from compression_operator.core.compression.words import On, Why
from compression_operator.core.conditions import clip
from compression_operator.core.outcomes import Failed


def measured(passage: Passage, task: Task, facts: EvaluateFacts, result: StageResult) -> Failed | None:
    """Receipt of one target's measurements: check the file first, then judge the gates of this target."""
    if facts.target != task.target:
        message = f"target {facts.target} was measured instead"
        return Failed(ExitClass.PERMANENT, "ResultMismatch", message, typed=True)
    plan, step = passage.plan, task.step
    candidate = candidate_of(passage.status, step) or CandidateStatus(step=step)
    before = next((item for item in candidate.results if item.target == task.target), None)
    number = (before.round if before is not None else None) or 0
    names = tuple(metric.name for metric in plan.metrics)
    fresh = measurements.target_result(facts, result, number, names)
    others = tuple(item for item in candidate.results if item.target != task.target)
    passage.put_candidate(step, state="Evaluating", results=(*others, fresh))
    if task.target == plan.shipped_target:
        passage.update(summary=measurements.summary(fresh))
        _note_baseline(passage, fresh)
    broken = _broken_export(plan, step, facts)
    if broken:
        passage.say(On.EVALUATED, "False", Why.EXPORTER_DISAGREES, broken)
        reject(passage, step, Why.EXPORTER_DISAGREES, broken)
        return None
    _judge_target(passage, task, facts, candidate, fresh)
    return None


def _note_baseline(passage: Passage, result: TargetResult) -> None:
    if passage.status.baseline is None and result.baseline is not None:
        passage.update(
            baseline=BaselineStatus(
                source="FP32Student",
                metrics=result.baseline.metrics,
                latency=result.baseline.latency,
                bytes=result.baseline.bytes,
            )
        )


def _broken_export(plan: Effective, step: str, facts: EvaluateFacts) -> str:
    """Whether the file computes what the fake-quantised model computed; empty if it does."""
    made = plan.step(step)
    # The other engine quantises the file itself: there is no model in training to agree with.
    simulated = made.qat is not None or (made.ptq is not None and made.ptq.engine == "PaddleSlim")
    if not simulated:
        return ""
    least, found = plan.evaluation.min_agreement, facts.agreement
    if found is None or found.samples == 0:
        return f"{step}: nothing shows that the exported file agrees with the model as quantised"
    if found.value < least:
        return (
            f"{step}: the exported file agrees with the model as quantised on {found.value:.4f} of "
            f"{found.samples} samples, required is >={least:g}: its accuracy would mean nothing"
        )
    return ""


def _judge_target(
    passage: Passage, task: Task, facts: EvaluateFacts, candidate: CandidateStatus, fresh: TargetResult
) -> None:
    plan = passage.plan
    metrics = {item.name: Metric.model_validate(item.model_dump()) for item in plan.metrics}
    evidence = Evidence(facts, metrics, _reference(passage), plan.evaluation.latency.max_cv)
    entries = {item.name: item for item in candidate.gates}
    again = False
    for gate in plan.spec.gates:
        if judged_on_image(gate) or (gate.target or plan.shipped_target) != task.target:
            continue
        ruling = judge(gate, evidence)
        entries[gate.name] = entry(gate, task.target, ruling, entries.get(gate.name))
        again = again or (not gate.dry_run and may_repeat(gate, ruling, entries[gate.name]))
    gates = tuple(entries.values())
    passage.put_candidate(task.step, gates=gates)
    passage.update(gates=gates)
    if again:
        _measure_again(passage, task, fresh)


def _measure_again(passage: Passage, task: Task, fresh: TargetResult) -> None:
    """A verdict that noise may have decided: the same target once more, under another input hash."""
    candidate = candidate_of(passage.status, task.step) or CandidateStatus(step=task.step)
    following = fresh.model_copy(update={"round": (fresh.round or 0) + 1})
    results = tuple(following if item is fresh else item for item in candidate.results)
    passage.put_candidate(task.step, results=results)


def _reference(passage: Passage) -> Reference | None:
    plan = passage.plan
    baseline, main = plan.evaluation.baseline, plan.metrics[0].name
    if baseline.source == "Fixed":
        return Reference("Fixed", main, baseline.value or 0.0)
    if baseline.source == "Teacher":
        first = passage.status.teachers[0]
        return Reference(f"teacher {first.name}", main, float(first.value), first.samples or 0)
    return None


def judge_candidate(passage: Passage, step: str) -> None:
    """All targets are measured: the candidate passes if every blocking gate does."""
    candidate = candidate_of(passage.status, step) or CandidateStatus(step=step)
    passage.say(On.EVALUATED, "True", Why.ALL_MEASURED, f"{step} was measured on every target")
    short = {item.name: item for item in candidate.gates}
    blocking = [g for g in passage.plan.spec.gates if not g.dry_run and not judged_on_image(g)]
    failing = [gate for gate in blocking if gate.name not in short or short[gate.name].verdict != "Pass"]
    if not failing:
        slow = _slower(candidate)
        passage.put_candidate(step, state="Passed", message=slow or None)
        shown = passage.status.summary.metric if passage.status.summary is not None else None
        passage.notice(f"{step}/passed", Why.PASSED, f"{step} passed every gate: {shown or 'measured'}")
        if slow:
            passage.notice(f"{step}/slower", Why.SLOWER_THAN_FLOAT, f"{step}: {slow}", "Warning")
        return
    if all(_may_hold(gate, short.get(gate.name)) for gate in failing):
        _hold(passage, step, failing)
        return
    worst = next((g for g in failing if not _may_hold(g, short.get(g.name))), failing[0])
    found = short.get(worst.name)
    reason = (found.reason if found is not None else None) or Why.INCONCLUSIVE
    message = (found.message if found is not None else None) or "it was not measured"
    reject(passage, step, reason, f"{step}: gate {worst.name}: {message}")


def _slower(candidate: CandidateStatus) -> str:
    """What is to be said of a candidate whose integers cost time; empty if they cost none."""
    slow = [item for item in candidate.results if item.slower_than_baseline]
    if not slow:
        return ""
    shown = ", ".join(f"{item.target} ({item.speedup or '?'} times its speed)" for item in slow)
    return f"slower than its float baseline on {shown}: gate Latency with minSpeedup to refuse this"


def _may_hold(gate: Gate, found: GateStatus | None) -> bool:
    return gate.on_inconclusive == "Hold" and found is not None and found.verdict == "Inconclusive"


def _hold(passage: Passage, step: str, gates: list[Gate]) -> None:
    names = tuple(gate.name for gate in gates)
    passage.put_candidate(step, state="Held", message=f"gates {', '.join(names)} could not be decided")
    passage.update(hold=Hold(since=passage.now, gates=names))


def reject(passage: Passage, step: str, reason: str, message: str) -> None:
    """This candidate will not be shipped; the plan goes on."""
    passage.put_candidate(step, state="Rejected", message=clip(message, MAX_TEXT))
    candidate = candidate_of(passage.status, step)
    passage.update(gates=candidate.gates if candidate is not None else ())
    passage.notice(f"{step}/rejected", reason, message, "Warning")
