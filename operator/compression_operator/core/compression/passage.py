"""One pass over one job: what was seen, and the status and effects as they grow.

Owns the bookkeeping of a pass. It is the one mutable value of the core, made and thrown away within `decide`.
Must not know what any stage means.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from compression_operator.api.compressionjob.status import (
    CandidateStatus,
    CompressionJobStatus,
    Resolved,
    RuntimeSnapshot,
    Work,
)
from compression_operator.core.actions import Action, Decision, Notice
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.observed import ObservedCompression
from compression_operator.core.compression.plan import Part, Task, work_of
from compression_operator.core.compression.words import On, Why
from compression_operator.core.conditions import Conditions, ConditionStatus, clip

MAX_TEXT = 512


class Passage:
    """A pass in progress."""

    def __init__(self, observed: ObservedCompression, now: datetime) -> None:
        self.observed = observed
        self.now = now
        self.status: CompressionJobStatus = observed.status
        self._actions: list[Action] = []
        self._notices: list[Notice] = []
        self._wakes: list[datetime] = []

    @property
    def plan(self) -> Effective:
        """The job as it was resolved when it was accepted."""
        resolved, snapshot = self.status.resolved, self.status.runtime_snapshot
        if snapshot is None:
            raise LookupError("the job has not been accepted yet")
        return Effective(self.observed.spec, resolved or Resolved(), snapshot)

    def update(self, **fields: Any) -> None:
        """Replace fields of the status."""
        self.status = self.status.model_copy(update=fields)

    def accept(self, resolved: Resolved, snapshot: RuntimeSnapshot) -> None:
        """Freeze the plan and the runtime for the rest of the run."""
        self.update(resolved=resolved, runtime_snapshot=snapshot)

    def work(self, task: Task) -> Work:
        """What the status says of a task."""
        return work_of(self.status, task)

    def put(self, task: Task, **fields: Any) -> None:
        """Replace fields of a task's entry, which is made if need be."""
        field = "steps" if task.part is Part.STEP else "stages"
        items: tuple[Work, ...] = getattr(self.status, field)
        if not any(item.name == task.name for item in items):
            items = (*items, Work(name=task.name))
        self.update(
            **{
                field: tuple(
                    item.model_copy(update=fields) if item.name == task.name else item for item in items
                )
            }
        )

    def put_candidate(self, step: str, **fields: Any) -> None:
        """Replace fields of a candidate's entry, which is made if need be."""
        items = self.status.candidates
        if not any(item.step == step for item in items):
            items = (*items, CandidateStatus(step=step))
        changed = (item.model_copy(update=fields) if item.step == step else item for item in items)
        self.update(candidates=tuple(changed))

    @property
    def conditions(self) -> Conditions:
        """The conditions so far."""
        return Conditions(self.status.conditions, self.observed.identity.generation, self.now)

    def say(self, kind: On, status: ConditionStatus, reason: str, message: str) -> None:
        """Set a condition."""
        self.update(conditions=self.conditions.set(kind, status, str(reason), message).items)

    def act(self, action: Action) -> None:
        """Ask for an effect, after the status and in this order."""
        self._actions.append(action)

    def notice(
        self, key: str, reason: str, message: str, kind: Literal["Normal", "Warning"] = "Normal"
    ) -> None:
        """Say something once."""
        self._notices.append(Notice(key, str(reason), clip(message), kind))

    def wake(self, at: datetime) -> None:
        """Look again then, at the latest."""
        self._wakes.append(at)

    @property
    def active(self) -> timedelta:
        """Running time so far, pauses left out."""
        running = timedelta() if self.status.active_since is None else self.now - self.status.active_since
        return timedelta(seconds=self.status.active_seconds or 0) + max(running, timedelta())

    def pause_clock(self) -> None:
        """Stop counting running time."""
        if self.status.active_since is not None:
            self.update(active_seconds=int(self.active.total_seconds()), active_since=None)

    def run_clock(self) -> None:
        """Go on counting running time."""
        if self.status.active_since is None:
            self.update(active_since=self.now)

    def end(self, outcome: Literal["Complete", "Failed"], reason: str, message: str) -> None:
        """Write the terminal condition: exactly one, and never a second time."""
        if self.ended:
            return
        self.pause_clock()
        failed = outcome == "Failed"
        for field in ("steps", "stages"):
            items: tuple[Work, ...] = getattr(self.status, field)
            self.update(**{field: tuple(_closed(item, message, self.now) for item in items)})
        self.update(completion_time=self.now, hold=None)
        self.say(On(outcome), "True", reason, message)
        self.say(On.RECONCILING, "False", Why.FINISHED, "the job has ended")
        if self.conditions.get(On.SUSPENDED) is not None:
            self.say(On.SUSPENDED, "False", Why.FINISHED, "the job has ended")
        if failed:
            self.say(On.STALLED, "True", reason, message)
        self.announce_end()

    def announce_end(self) -> None:
        """Say how the job ended."""
        complete, failed = self.conditions.get(On.COMPLETE), self.conditions.get(On.FAILED)
        if complete is not None:
            self.notice("end", complete.reason, complete.message)
        if failed is not None:
            self.notice("end", failed.reason, failed.message, "Warning")

    def fail(self, reason: str, message: str) -> None:
        """End the job as Failed."""
        self.end("Failed", reason, message)

    @property
    def ended(self) -> bool:
        """Whether a terminal condition stands."""
        return is_terminal(self.conditions)

    def decision(self) -> Decision:
        """What this pass found missing."""
        changed = self.status != self.observed.status
        return Decision(
            status=self.status.to_dict() if changed else None,
            actions=tuple(self._actions),
            notices=tuple(self._notices),
            wake_at=min(self._wakes, default=None),
        )


def is_terminal(conditions: Conditions) -> bool:
    """Whether the job has ended."""
    return conditions.is_true(On.COMPLETE) or conditions.is_true(On.FAILED)


def _closed(work: Work, message: str, now: datetime) -> Work:
    """Work that was still going when the job ended."""
    if work.state != "Running":
        return work
    update = {"state": "Failed", "message": clip(message, MAX_TEXT), "completion_time": now, "retry_at": None}
    return work.model_copy(update=update)
