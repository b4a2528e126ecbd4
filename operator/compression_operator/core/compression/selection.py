"""The choice between candidates, and the wait for a person where a gate could not decide.

Owns holds and selection. Must not judge a gate.
"""

from __future__ import annotations

from typing import Final

from compression_contract.keys import GROUP
from compression_operator.api.compressionjob.gates import Gate
from compression_operator.api.compressionjob.status import CandidateStatus, Hold, Selected
from compression_operator.core.compression.judgement import reject
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.plan import candidate_of
from compression_operator.core.compression.words import On, Why

RELEASE_HOLD: Final = f"{GROUP}/release-hold"
"""Annotation with which a person lets a held candidate pass; its value is `status.hold.since`."""


def wait_for_person(passage: Passage, step: str) -> bool:
    """A candidate is held. True: a person or the clock has decided; False: it waits on."""
    hold = passage.status.hold or Hold(since=passage.now)
    since = hold.since.isoformat().replace("+00:00", "Z")
    if passage.observed.identity.annotations.get(RELEASE_HOLD) == since:
        passage.put_candidate(
            step, state="Passed", message=f"gates {', '.join(hold.gates)} accepted by a person"
        )
        passage.update(hold=None)
        passage.notice(f"{step}/accepted", Why.PASSED, f"{step} was let through by a person")
        return True
    deadline = hold.since + min(gate.hold_timeout for gate in _held(passage, hold))
    if passage.now >= deadline:
        passage.update(hold=None)
        reject(passage, step, Why.INCONCLUSIVE, f"{step}: nobody decided within holdTimeout")
        return True
    passage.wake(deadline)
    passage.say(
        On.GATES_PASSED,
        "Unknown",
        Why.INCONCLUSIVE,
        f"{step}: gates {', '.join(hold.gates)} could not be decided: to accept, annotate the job with "
        f"{RELEASE_HOLD}={since}; to refuse, set spec.cancel",
    )
    return False


def _held(passage: Passage, hold: Hold) -> tuple[Gate, ...]:
    gates = passage.plan.spec.gates
    return tuple(gate for gate in gates if gate.name in hold.gates) or gates


def select(passage: Passage) -> bool:
    """Choose what is shipped once every step is decided. False: nothing passed, and the job has ended."""
    passing = [item for item in passage.status.candidates if item.state == "Passed"]
    if not passing:
        _nothing_passed(passage)
        return False
    chosen = _best(passage, passing)
    artifact = chosen.artifact
    if artifact is None:
        raise LookupError(f"candidate {chosen.step} has no artifact")
    target, digest = passage.plan.shipped_target, artifact.manifest_digest
    passage.update(
        selected=Selected(step=chosen.step, target=target, manifest_digest=digest),
        gates=chosen.gates,
    )
    return True


def _best(passage: Passage, passing: list[CandidateStatus]) -> CandidateStatus:
    """The first in the plan's order, or the best by the objective; of equals the earlier one."""
    order = {step.name: index for index, step in enumerate(passage.plan.steps)}
    passing = sorted(passing, key=lambda item: order.get(item.step, len(order)))
    pipeline = passage.plan.spec.pipeline
    if pipeline.selection == "FirstPassing" or pipeline.objective is None:
        return passing[0]
    sign = 1.0 if pipeline.objective.goal == "Minimize" else -1.0
    metric, target = pipeline.objective.metric, passage.plan.shipped_target
    return min(passing, key=lambda item: sign * _objective(item, metric, target, sign))


def _objective(candidate: CandidateStatus, metric: str, target: str, sign: float) -> float:
    """The candidate's value of the objective; what was not measured is worse than anything."""
    worst = sign * float("inf")
    result = next((item for item in candidate.results if item.target == target), None)
    if result is None:
        return worst
    if metric == "bytes":
        return float(result.bytes or 0)
    if metric == "latencyP95":
        p95 = result.latency.p95 if result.latency is not None else None
        return float(p95.removesuffix("ms")) if p95 else worst
    value = next((item.value for item in result.metrics if item.name == metric), None)
    return float(value) if value is not None else worst


def _nothing_passed(passage: Passage) -> None:
    rejected = [item for item in passage.status.candidates if item.state == "Rejected"]
    last = rejected[-1] if rejected else None
    if last is None:
        message = "no step gave a candidate: see status.steps for each one's message"
        passage.say(On.GATES_PASSED, "Unknown", Why.INCONCLUSIVE, message)
        passage.fail(Why.GATE_FAILED, message)
        return
    candidate = candidate_of(passage.status, last.step) or last
    failing = [gate for gate in candidate.gates if gate.verdict != "Pass" and not gate.dry_run]
    certain = next((gate for gate in failing if gate.verdict == "Fail"), None)
    worst = certain or (failing[0] if failing else None)
    reason = (worst.reason if worst is not None else None) or Why.INCONCLUSIVE
    message = f"{len(rejected)} of {len(rejected)} candidates missed their gates; the last: {last.message}"
    passage.say(On.GATES_PASSED, "False" if certain is not None else "Unknown", reason, message)
    passage.fail(Why.GATE_FAILED, message)
