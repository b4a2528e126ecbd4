"""Driving one task from intent over its child Job to its receipt.

Owns the sequence of an attempt: the intent is written before the Job is made, the receipt before anything
is cleaned. Must not know what a result means (see `receipts`), nor a failure (see `failures`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from compression_contract.exitcodes import ExitClass
from compression_operator.api.compressionjob.status import Attempts as AttemptCounts
from compression_operator.api.compressionjob.status import Child, Work
from compression_operator.core.actions import Create
from compression_operator.core.compression import receipts
from compression_operator.core.compression.children import STORING, job_of, measurement_round, service_of
from compression_operator.core.compression.failures import failed_attempt
from compression_operator.core.compression.intents import attempt, intend
from compression_operator.core.compression.passage import MAX_TEXT, Passage
from compression_operator.core.compression.plan import Part, Task
from compression_operator.core.compression.retries import Attempts
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
        return failed_attempt(passage, task, work, missed) if missed is not None else False
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
    return failed_attempt(passage, task, work, outcome)


def _outcome(passage: Passage, task: Task, recorded: Child, child: ChildJob) -> Outcome:
    stage = attempt(passage, task, recorded.attempt or 0).parameters.stage
    expected = Expected(recorded.input_hash, stage, task.part in STORING)
    return outcome_of(child, expected, queued=bool(passage.observed.spec.run_policy.queue_name))


def _begin(passage: Passage, task: Task, work: Work) -> bool:
    """Write the intent, or carry it out: the Job of the recorded attempt is missing."""
    intend(passage, task, Attempts(work.attempts.retryable, work.attempts.infra))
    due = passage.work(task).retry_at
    if due is not None and due > passage.now:
        passage.wake(due)
    else:
        _create(passage, task)
    return False


def _create(passage: Passage, task: Task) -> None:
    work, runtime = passage.work(task), passage.observed.runtime
    name = work.child.job_name if work.child is not None else ""
    if f"Job/{name}" in passage.observed.conflicts:
        passage.fail(Why.NAME_CONFLICT, f"a Job named {name} exists and is not this job's: delete it")
        return
    if runtime is None:
        _await_runtime(passage)
        return
    made = attempt(passage, task, work.attempt or 0)
    identity = passage.observed.identity
    service = service_of(made, identity)
    if service is not None:
        passage.act(Create(service))
    passage.act(Create(job_of(made, passage.plan, identity, runtime.spec)))
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
    passage.put(
        task, state="Succeeded", message=None, progress=None, completion_time=passage.now, retry_at=None
    )
    key = f"{task.name}/{work.attempt}/{passage.status.incarnation or 0}/done"
    if task.part is not Part.EVALUATE:
        # A measurement is announced together with its verdict.
        passage.notice(key, "Succeeded", f"{task.name} has succeeded")
