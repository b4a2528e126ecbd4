"""The choice between candidates, and the wait for a person where a gate could not decide.

Owns holds and selection. Must not judge a gate.
"""

from __future__ import annotations

from typing import Final

from compression_contract.keys import GROUP
from compression_operator.api.compressionjob.gates import Gate
from compression_operator.api.compressionjob.status import CandidateStatus, Hold, Selected
from compression_operator.core.compression.judgement import reject
from compression_operator.core.compression.measurements import summary
from compression_operator.core.compression.pareto import Scale, best, front
from compression_operator.core.compression.passage import MAX_TEXT, Passage
from compression_operator.core.compression.plan import candidate_of
from compression_operator.core.compression.words import On, Why
from compression_operator.core.conditions import clip

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
    order = {step.name: index for index, step in enumerate(passage.plan.steps)}
    passing = [item for item in passage.status.candidates if item.state == "Passed"]
    if not passing:
        _nothing_passed(passage)
        return False
    chosen, why = _chosen(passage, sorted(passing, key=lambda item: order.get(item.step, len(order))))
    artifact = chosen.artifact
    if artifact is None:
        raise LookupError(f"candidate {chosen.step} has no artifact")
    target, digest = passage.plan.shipped_target, artifact.manifest_digest
    result = next((item for item in chosen.results if item.target == target), None)
    passage.update(
        selected=Selected(step=chosen.step, target=target, manifest_digest=digest, reason=why),
        summary=passage.status.summary if result is None else summary(result),
        gates=chosen.gates,
    )
    return True


def _chosen(passage: Passage, passing: list[CandidateStatus]) -> tuple[CandidateStatus, str]:
    """The candidate to ship and why, in a sentence; `passing` is in the plan's order."""
    pipeline = passage.plan.spec.pipeline
    objective = pipeline.objective
    if pipeline.selection == "FirstPassing" or objective is None:
        return passing[0], "the first in the plan that passed every gate"
    scale = Scale(passage.plan.metrics, passage.plan.shipped_target)
    on_front = {item.step for item in front(passing, scale)}
    for item in passing:
        passage.put_candidate(item.step, pareto_optimal=item.step in on_front)
    chosen = best(passing, objective.metric, scale)
    shown = ", ".join(scale.shown(item, objective.metric) for item in passing)
    word = "least" if objective.goal == "Minimize" else "greatest"
    return chosen, clip(f"{word} {objective.metric} of those that passed every gate: {shown}", MAX_TEXT)


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
