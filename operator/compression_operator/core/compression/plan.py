"""The order of a run: which piece of work comes next, and which steps need not run.

Owns the sequence resolve, preflight, steps with their measurements, package, scan, and the rule of fallback:
a step with `when.unmet` runs only while none of the candidates it names has passed. Reads the status alone,
so that a restarted operator finds the same place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from compression_operator.api.compressionjob.pipeline import Step
from compression_operator.api.compressionjob.status import CandidateStatus, CompressionJobStatus, Work
from compression_operator.core.compression.effective import Effective


class Part(StrEnum):
    """Kinds of work; all but STEP stand beside the author's plan."""

    RESOLVE = "resolve"
    PREFLIGHT = "preflight"
    STEP = "step"
    EVALUATE = "evaluate"
    PACKAGE = "package"
    SCAN = "scan"
    REPORT = "report"


ROLES: Final = {
    Part.RESOLVE: "resolve",
    Part.PREFLIGHT: "preflight",
    Part.STEP: "train",
    Part.EVALUATE: "evaluate",
    Part.PACKAGE: "package",
    Part.SCAN: "scan",
    Part.REPORT: "report",
}
"""The role label of each kind of work."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work that a child Job does."""

    part: Part
    step: str = ""
    target: str = ""

    @property
    def name(self) -> str:
        """Its key in `status.steps` (a step) or `status.stages` (all else)."""
        if self.part is Part.STEP:
            return self.step
        if self.part is Part.EVALUATE:
            return f"evaluate.{self.step}.{self.target}"
        return self.part.value

    @property
    def role(self) -> str:
        """The role label of its pods."""
        return ROLES[self.part]


@dataclass(frozen=True, slots=True)
class Skip:
    """A step that need not, or cannot, run."""

    step: str
    message: str


@dataclass(frozen=True, slots=True)
class Judge:
    """All targets of a candidate are measured; its verdict is due."""

    step: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A candidate is held for a person."""

    step: str


@dataclass(frozen=True, slots=True)
class PlanDone:
    """Every step is decided: a candidate is to be selected."""


Next = Task | Skip | Judge | Wait | PlanDone


def work_of(status: CompressionJobStatus, task: Task) -> Work:
    """What the status says of a task; one that it does not know yet is Pending."""
    items = status.steps if task.part is Part.STEP else status.stages
    return next((item for item in items if item.name == task.name), Work(name=task.name))


def candidate_of(status: CompressionJobStatus, step: str) -> CandidateStatus | None:
    """The candidate that a step made, or None."""
    return next((item for item in status.candidates if item.step == step), None)


def passed(status: CompressionJobStatus, step: str) -> bool:
    """Whether a step gave a candidate that passed its gates."""
    candidate = candidate_of(status, step)
    return candidate is not None and candidate.state == "Passed"


def next_of_plan(status: CompressionJobStatus, effective: Effective) -> Next:
    """What comes next until every step is decided."""
    first = Task(Part.RESOLVE)
    if work_of(status, first).state != "Succeeded":
        return first
    if effective.teachers_used and work_of(status, Task(Part.PREFLIGHT)).state != "Succeeded":
        return Task(Part.PREFLIGHT)
    for step in effective.steps:
        following = _next_of_step(status, effective, step)
        if following is not None:
            return following
    return PlanDone()


def next_of_release(status: CompressionJobStatus) -> Task | None:
    """What comes next once a candidate is selected; None: the image is pushed and scanned."""
    for task in (Task(Part.PACKAGE), Task(Part.SCAN)):
        if work_of(status, task).state != "Succeeded":
            return task
    return None


def _next_of_step(status: CompressionJobStatus, effective: Effective, step: Step) -> Next | None:
    """What this step still needs; None if it is decided."""
    work = work_of(status, Task(Part.STEP, step.name))
    if work.state in ("Skipped", "Failed"):
        return None
    if work.state == "Pending":
        reason = _needless(status, step)
        return Skip(step.name, reason) if reason else Task(Part.STEP, step.name)
    if work.state == "Running":
        return Task(Part.STEP, step.name)
    return _next_of_candidate(status, effective, step) if step.is_candidate else None


def _next_of_candidate(status: CompressionJobStatus, effective: Effective, step: Step) -> Next | None:
    candidate = candidate_of(status, step.name)
    state = candidate.state if candidate is not None else "Pending"
    if state in ("Passed", "Rejected"):
        return None
    if state == "Held":
        return Wait(step.name)
    for target in effective.targets:
        task = Task(Part.EVALUATE, step.name, target.name)
        if work_of(status, task).state != "Succeeded":
            return task
    return Judge(step.name)


def _needless(status: CompressionJobStatus, step: Step) -> str:
    """Why a pending step is skipped; empty if it runs."""
    better = next((name for name in step.when.unmet if passed(status, name)), None)
    if better is not None:
        return f"not needed: {better} passed the gates"
    if step.from_:
        source = work_of(status, Task(Part.STEP, step.from_))
        if source.state in ("Skipped", "Failed"):
            return f"not possible: step {step.from_}, which it starts from, is {source.state}"
    return ""
