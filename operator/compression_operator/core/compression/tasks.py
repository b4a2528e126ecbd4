"""Driving one task from intent over its child Job to its receipt.

Owns the sequence of an attempt: the intent is written before the Job is made, the receipt before anything is
cleaned, and a failed attempt is followed by the intent of the next one. Must not know what a result means
(see `receipts`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final, assert_never

from compression_contract.exitcodes import ExitClass, ExitCode
from compression_operator.api.compressionjob.status import Attempts as AttemptCounts
from compression_operator.api.compressionjob.status import Child, LastFailure, Work
from compression_operator.core.actions import Create
from compression_operator.core.compression import receipts
from compression_operator.core.compression.children import (
    STORING,
    Attempt,
    attempt_of,
    job_of,
    measurement_round,
)
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
from compression_operator.core.observed import ChildJob
from compression_operator.core.outcomes import (
    SECRET_NOT_USABLE,
    Expected,
    Failed,
    Going,
    Outcome,
    Succeeded,
    outcome_of,
)

RUNTIME_POLL: Final = timedelta(minutes=1)
TROUBLES: Final = frozenset(
    {
        "Unschedulable",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerError",
        "CreateContainerConfigError",
        "RunContainerError",
    }
)
"""Why a pod may wait that somebody should know of; passing states such as ErrImagePull are left out."""
_STAGE_CONDITION: Final = {
    Part.PREFLIGHT: (On.EVALUATED, Why.MEASUREMENT_ERROR),
    Part.EVALUATE: (On.EVALUATED, Why.MEASUREMENT_ERROR),
    Part.PACKAGE: (On.PACKAGED, Why.PACKAGE_FAILED),
    Part.SCAN: (On.SCANNED, Why.SCAN_FAILED),
}
"""The condition that speaks of a kind of work, and its reason when the work failed without one of its own."""


def drive(passage: Passage, task: Task) -> bool:
    """Bring a task forward.

    Returns:
        True: it is decided and the run goes on. False: it waits, or the job has ended.
    """
    work = passage.work(task)
    child = None if work.child is None else passage.observed.child(work.child.job_name)
    if work.child is None or child is None:
        return _begin(passage, task, work)
    outcome = _outcome(passage, task, work.child, child)
    sent_away = work.child.incarnation != passage.status.incarnation and (child.lost or child.deleting)
    if sent_away and not isinstance(outcome, Succeeded):
        # The job was suspended: the successor waits until this one has let go of its files.
        return _begin(passage, task, work) if child.lost else False
    if isinstance(outcome, Going):
        missed = _wait(passage, task, outcome)
        return _failed(passage, task, work, missed) if missed is not None else False
    _unhindered(passage)
    if task.part is Part.SCAN and passage.observed.runtime is None:
        # The findings are held against the administrator's floor, which only the runtime tells.
        return _await_runtime(passage)
    if isinstance(outcome, Succeeded):
        before = measurement_round(passage.status, task)
        problem = receipts.record(passage, task, outcome.result)
        if passage.ended:
            return False
        if problem is None:
            if measurement_round(passage.status, task) > before:
                passage.put(task, state="Pending", attempts=AttemptCounts(), child=None, retry_at=None)
            else:
                _done(passage, task, work)
            return True
        outcome = problem
    return _failed(passage, task, work, outcome)


def _outcome(passage: Passage, task: Task, recorded: Child, child: ChildJob) -> Outcome:
    stage = _attempt(passage, task, recorded.attempt or 0).parameters.stage
    expected = Expected(recorded.input_hash, stage, task.part in STORING)
    return outcome_of(child, expected, queued=bool(passage.observed.spec.run_policy.queue_name))


def _attempt(passage: Passage, task: Task, number: int) -> Attempt:
    return attempt_of(task, passage.plan, passage.status, passage.observed.identity, number)


def _begin(passage: Passage, task: Task, work: Work) -> bool:
    """Write the intent, or carry it out: the Job of the recorded attempt is missing."""
    intend(passage, task, Attempts(work.attempts.retryable, work.attempts.infra))
    due = passage.work(task).retry_at
    if due is not None and due > passage.now:
        passage.wake(due)
    else:
        _create(passage, task)
    return False


def intend(passage: Passage, task: Task, attempts: Attempts) -> None:
    """Record which Job does the task's next attempt; recording the same again changes nothing."""
    work = passage.work(task)
    attempt = _attempt(passage, task, attempts.number)
    incarnation = passage.status.incarnation or 0
    if work.state == "Running" and work.child is not None and work.child.job_name == attempt.job_name:
        return
    child = Child(
        job_name=attempt.job_name,
        input_hash=attempt.input_hash,
        attempt=attempt.number,
        incarnation=incarnation,
        created=passage.now,
    )
    passage.put(
        task,
        state="Running",
        message=None,
        attempt=attempt.number,
        attempts=AttemptCounts(retryable=attempts.retryable, infra=attempts.infra),
        child=child,
        start_time=work.start_time or passage.now,
        completion_time=None,
    )


def _create(passage: Passage, task: Task) -> None:
    work, runtime = passage.work(task), passage.observed.runtime
    name = work.child.job_name if work.child is not None else ""
    if f"Job/{name}" in passage.observed.conflicts:
        passage.fail(Why.NAME_CONFLICT, f"a Job named {name} exists and is not this job's: delete it")
        return
    if runtime is None:
        _await_runtime(passage)
        return
    attempt = _attempt(passage, task, work.attempt or 0)
    passage.act(Create(job_of(attempt, passage.plan, passage.observed.identity, runtime.spec)))
    passage.wake(passage.now + timedelta(seconds=passage.observed.spec.run_policy.start_deadline_seconds))


def _await_runtime(passage: Passage) -> bool:
    """The runtime was deleted in the middle of a run: wait for it, and look again now and then."""
    name = passage.plan.snapshot.name
    message = f"CompressionRuntime {name} is gone: create it again and the job goes on"
    passage.say(On.ACCEPTED, "False", Why.RUNTIME_NOT_FOUND, message)
    passage.wake(passage.now + RUNTIME_POLL)
    return False


def _wait(passage: Passage, task: Task, going: Going) -> Failed | None:
    """A child that has not ended: a failure if it may not wait any longer."""
    if going.since is None and not going.started:
        passage.pause_clock()
        passage.say(On.SUSPENDED, "True", Why.QUEUED, f"{task.name} waits in its queue")
        return None
    _admitted(passage)
    if going.started or going.since is None:
        _unhindered(passage)
        return None
    if going.why in TROUBLES:
        passage.put(task, message=clip(f"{going.why}: {going.message}", MAX_TEXT))
    if going.why == SECRET_NOT_USABLE:
        message = f"the pod of {task.name} cannot start: {going.message}"
        passage.say(On.ACCEPTED, "False", Why.SECRET_NOT_USABLE, message)
    seconds = passage.observed.spec.run_policy.start_deadline_seconds
    deadline = going.since + timedelta(seconds=seconds)
    if passage.now < deadline:
        passage.wake(deadline)
        return None
    message = f"the pod of {task.name} did not start within {seconds} s: {going.why}: {going.message}"
    return Failed(ExitClass.NEVER_STARTED, going.why, message)


def _unhindered(passage: Passage) -> None:
    """A container runs or ran, so its Secrets were there."""
    _admitted(passage)
    accepted = passage.conditions.get(On.ACCEPTED)
    if accepted is not None and accepted.reason == Why.SECRET_NOT_USABLE:
        passage.say(On.ACCEPTED, "True", Why.VALID, "the job is valid and its Secrets can be used")


def _admitted(passage: Passage) -> None:
    """No queue holds the job back: its running time counts."""
    passage.run_clock()
    suspended = passage.conditions.get(On.SUSPENDED)
    if suspended is not None and suspended.status == "True" and suspended.reason == Why.QUEUED:
        passage.say(On.SUSPENDED, "False", Why.RESUMED, "the queue let the job go on")


def _done(passage: Passage, task: Task, work: Work) -> None:
    passage.put(task, state="Succeeded", message=None, completion_time=passage.now, retry_at=None)
    key = f"{task.name}/{work.attempt}/{passage.status.incarnation or 0}/done"
    if task.part is not Part.EVALUATE:
        # A measurement is announced together with its verdict.
        passage.notice(key, "Succeeded", f"{task.name} has succeeded")


def _failed(passage: Passage, task: Task, work: Work, failed: Failed) -> bool:
    """The receipt of a failed attempt, and what follows from it."""
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
    attempt = _attempt(passage, task, passage.work(task).attempt or 0)
    body = job_of(attempt, passage.plan, passage.observed.identity, runtime.spec)
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
