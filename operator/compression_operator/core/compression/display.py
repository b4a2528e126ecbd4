"""What people see of a run: one word for its stage, a share of the work, and the plan with its types.

Owns display only: no decision reads any of it.
"""

from __future__ import annotations

from typing import Final

from compression_operator.api.compressionjob.status import CompressionJobStatus
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.plan import Part, Task, work_of
from compression_operator.core.compression.words import On

_WORDS: Final = {
    Part.RESOLVE: "Resolving",
    Part.PREFLIGHT: "Preflight",
    Part.EVALUATE: "Evaluating",
    Part.PACKAGE: "Packaging",
    Part.SCAN: "Scanning",
}
_STEP_WORDS: Final = {
    "Distill": "Distilling",
    "Prune": "Pruning",
    "PTQ": "Quantizing",
    "QAT": "Training",
}


def show(passage: Passage) -> None:
    """Fill in the fields for people."""
    status = passage.status
    if status.runtime_snapshot is not None:
        for step in passage.plan.steps:
            passage.put(Task(Part.STEP, step.name), type=step.type)
    passage.update(stage=_stage(passage), progress_percent=_percent(passage))


def _stage(passage: Passage) -> str:
    conditions, status = passage.conditions, passage.status
    standing = (
        (conditions.is_true(On.COMPLETE), "Complete"),
        (conditions.is_true(On.FAILED), "Failed"),
        (passage.observed.spec.cancel, "Cancelling"),
        (conditions.is_true(On.SUSPENDED), "Suspended"),
        (status.runtime_snapshot is None, "Waiting"),
        (status.hold is not None, "Held"),
    )
    for holds, word in standing:
        if holds:
            return word
    return _doing(passage)


def _doing(passage: Passage) -> str:
    """The word for the task that runs now."""
    status = passage.status
    for task in _tasks(passage.plan):
        if work_of(status, task).state == "Running":
            if task.part is Part.STEP:
                return f"{_STEP_WORDS.get(passage.plan.step(task.step).type, 'Running')} ({task.step})"
            return _WORDS[task.part]
    return "Publishing" if status.scan is not None else "Running"


def _tasks(plan: Effective) -> list[Task]:
    """All work that the plan may need, in order."""
    tasks = [Task(Part.RESOLVE)]
    if plan.teachers_used:
        tasks.append(Task(Part.PREFLIGHT))
    for step in plan.steps:
        tasks.append(Task(Part.STEP, step.name))
        if step.is_candidate:
            tasks.extend(Task(Part.EVALUATE, step.name, target.name) for target in plan.targets)
    return [*tasks, Task(Part.PACKAGE), Task(Part.SCAN)]


def _percent(passage: Passage) -> int:
    if passage.conditions.is_true(On.COMPLETE):
        return 100
    if passage.status.runtime_snapshot is None:
        return 0
    return percent(passage.plan, passage.status)


def percent(plan: Effective, status: CompressionJobStatus) -> int:
    """Share of the tasks that are decided, the running step by its own progress.

    A skipped step takes its measurements along.
    """
    over = {"Succeeded", "Skipped", "Failed"}
    tasks, done = _tasks(plan), 0.0
    for task in tasks:
        work = work_of(status, task)
        step = Task(Part.STEP, task.step)
        skipped = task.part is Part.EVALUATE and work_of(status, step).state in ("Skipped", "Failed")
        if work.state in over or skipped:
            done += 1
        elif work.state == "Running" and work.progress is not None:
            done += work.progress.percent / 100
    return min(99, int(100 * done / (len(tasks) + 1)))
