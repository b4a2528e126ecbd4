"""The receipt of a failed attempt: what is recorded, what is tried again, and how the job ends over it.

Owns the words for a failure in conditions and Events. Must not read a pod (see `outcomes`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from compression_contract.exitcodes import ExitClass, ExitCode
from compression_operator.api.compressionjob.status import LastFailure, Work
from compression_operator.core.compression.children import job_of
from compression_operator.core.compression.intents import attempt, intend
from compression_operator.core.compression.passage import MAX_TEXT, Passage
from compression_operator.core.compression.plan import Part, Task
from compression_operator.core.compression.retries import (
    Attempts,
    Ending,
    GiveUp,
    Retry,
    Unmet,
    after_failure,
)
from compression_operator.core.compression.words import On, Why
from compression_operator.core.conditions import clip
from compression_operator.core.outcomes import Failed

_STAGE_CONDITION: Final = {
    Part.PREFLIGHT: (On.EVALUATED, Why.MEASUREMENT_ERROR),
    Part.EVALUATE: (On.EVALUATED, Why.MEASUREMENT_ERROR),
    Part.PACKAGE: (On.PACKAGED, Why.PACKAGE_FAILED),
    Part.SCAN: (On.SCANNED, Why.SCAN_FAILED),
}
"""The condition that speaks of a kind of work, and its reason when the work failed without one of its own."""


def failed_attempt(passage: Passage, task: Task, work: Work, failed: Failed) -> bool:
    """Record it, and what follows from it. True: the run goes on without this task."""
    spec, identity = passage.observed.spec, passage.observed.identity
    failed = _in_context(passage, task, failed)
    failure = LastFailure(
        class_=failed.kind.value,
        exit_code=failed.exit_code,
        reason=failed.reason[:64],
        message=clip(failed.message, MAX_TEXT),
        time=failed.finished or passage.now,
    )
    passage.put(task, last_failure=failure)
    attempts = Attempts(work.attempts.retryable, work.attempts.infra)
    verdict = after_failure(failed, attempts, spec.run_policy, f"{identity.uid}/{task.name}", passage.now)
    said = f"{task.name}: {failed.reason}: {failed.message}"
    key = f"{task.name}/{work.attempt}/{passage.status.incarnation or 0}/failed"
    match verdict:
        case Retry():
            passage.put(task, retry_at=verdict.at)
            intend(passage, task, verdict.attempts)
            passage.wake(verdict.at)
            said = f"{said}; tried again at {verdict.at:%H:%M:%S}"
            passage.notice(key, failed.reason, said, "Warning")
            return False
        case GiveUp():
            return _given_up(passage, task, failed, verdict)
        case Unmet():
            message, ended = verdict.message, passage.now
            passage.put(task, state="Failed", message=message, completion_time=ended, retry_at=None)
            passage.notice(key, failed.reason, f"{said}; the plan goes on without it", "Warning")
            return True
        case _:
            assert_never(verdict)


def _in_context(passage: Passage, task: Task, failed: Failed) -> Failed:
    """The failure as this kind of work understands it."""
    if failed.kind is ExitClass.UNMET and task.part is not Part.STEP:
        # Only a training can diverge: a plan has no way on without any other kind of work.
        return replace(failed, kind=ExitClass.PERMANENT)
    if failed.kind is ExitClass.OUT_OF_MEMORY:
        return replace(failed, message=_memory(passage, task, failed.message))
    return failed


def _given_up(passage: Passage, task: Task, failed: Failed, verdict: GiveUp) -> bool:
    if task.part is Part.EVALUATE and failed.exit_code == ExitCode.DATA:
        return _unmeasurable(passage, task, f"{task.name}: {failed.reason}: {failed.message}")
    _explain(passage, task, failed)
    # A word of the stage's own says more than that a step has failed.
    own = verdict.ending is Ending.STEP_FAILED and failed.typed
    passage.fail(failed.reason if own else verdict.ending, f"{task.name}: {verdict.message}")
    return False


def _memory(passage: Passage, task: Task, message: str) -> str:
    runtime = passage.observed.runtime
    if runtime is None:
        return message
    made = attempt(passage, task, passage.work(task).attempt or 0)
    body = job_of(made, passage.plan, passage.observed.identity, runtime.spec)
    limits = body["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    return f"{message}; its memory limit is {limits.get('memory', 'not set')}: raise it in podTemplates"


def _unmeasurable(passage: Passage, task: Task, said: str) -> bool:
    """A file that the evaluator cannot run is no candidate; another one may be."""
    short = clip(said, MAX_TEXT)
    passage.put(task, state="Failed", message=short, completion_time=passage.now, retry_at=None)
    passage.put_candidate(task.step, state="Rejected", message=short)
    passage.say(On.EVALUATED, "False", Why.MEASUREMENT_ERROR, said)
    passage.notice(f"{task.name}/rejected", Why.MEASUREMENT_ERROR, said, "Warning")
    return True


def _explain(passage: Passage, task: Task, failed: Failed) -> None:
    """Say it in the condition that speaks of this kind of work."""
    if task.part not in _STAGE_CONDITION:
        return
    condition, otherwise = _STAGE_CONDITION[task.part]
    reason = failed.reason if failed.typed else otherwise
    passage.say(condition, "False", reason, failed.message)
    if task.part is Part.SCAN:
        passage.say(On.GATES_PASSED, "Unknown", Why.SCANNER_UNAVAILABLE, f"not scanned: {failed.message}")
