"""Intents: which Job does a task's next attempt, recorded before it is made.

Owns the record of the intent. Must not know whether the attempt is due (see `tasks`).
"""

from __future__ import annotations

from compression_operator.api.compressionjob.status import Attempts as AttemptCounts
from compression_operator.api.compressionjob.status import Child
from compression_operator.core.compression.children import Attempt, attempt_of
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.plan import Task
from compression_operator.core.compression.retries import Attempts


def attempt(passage: Passage, task: Task, number: int) -> Attempt:
    """An attempt at a task as it would be made now."""
    return attempt_of(task, passage.plan, passage.status, passage.observed.identity, number)


def intend(passage: Passage, task: Task, attempts: Attempts) -> None:
    """Record which Job does the task's next attempt; recording the same again changes nothing."""
    work = passage.work(task)
    following = attempt(passage, task, attempts.number)
    incarnation = passage.status.incarnation or 0
    if work.state == "Running" and work.child is not None and work.child.job_name == following.job_name:
        return
    child = Child(
        job_name=following.job_name,
        input_hash=following.input_hash,
        attempt=following.number,
        incarnation=incarnation,
        created=passage.now,
    )
    passage.put(
        task,
        state="Running",
        message=None,
        progress=None,
        attempt=following.number,
        attempts=AttemptCounts(retryable=attempts.retryable, infra=attempts.infra),
        child=child,
        start_time=work.start_time or passage.now,
        completion_time=None,
    )
