"""How far a training is, as people see it: a line of its log, put into the status.

Owns what is taken over from a line, which is data from outside, and how often. Nothing is decided by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from compression_contract.progress import Progress as Told
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.api.compressionjob.status import (
    CompressionJobStatus,
    MetricValue,
    Progress,
    Resolved,
    Work,
)
from compression_operator.core.compression.display import percent
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.measurements import text

LEAST: Final = timedelta(seconds=30)
"""Between two writes of a job's progress."""
MAX_EPOCH: Final = 100_000
MAX_SECONDS: Final = 10 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class Training:
    """Whose progress was told: a child Job of a job with this spec and status."""

    spec: CompressionJobSpec
    status: CompressionJobStatus
    job_name: str


def noted(training: Training, told: Told, now: datetime) -> CompressionJobStatus | None:
    """The status with a training's progress in it; None where there is nothing new, or it is too early."""
    status, snapshot = training.status, training.status.runtime_snapshot
    step = next((item for item in status.steps if _does(item, training.job_name)), None)
    if step is None or snapshot is None:
        return None
    before = step.progress
    if before is not None and before.updated is not None and now - before.updated < LEAST:
        return None
    seen = _seen(told, now)
    if before is not None and before.model_copy(update={"updated": now}) == seen:
        return None
    moved = step.model_copy(update={"progress": seen})
    after = status.model_copy(
        update={"steps": tuple(moved if item is step else item for item in status.steps)}
    )
    plan = Effective(training.spec, status.resolved or Resolved(), snapshot)
    return after.model_copy(update={"progress_percent": percent(plan, after)})


def _does(step: Work, job_name: str) -> bool:
    return step.state == "Running" and step.child is not None and step.child.job_name == job_name


def _seen(told: Told, now: datetime) -> Progress:
    values = (("loss", told.loss), ("samplesPerSecond", told.samples_per_second))
    return Progress(
        percent=min(100 * told.step // told.steps, 100),
        eta_seconds=None if told.seconds_left is None else min(told.seconds_left, MAX_SECONDS),
        epoch=min(told.epoch, MAX_EPOCH),
        updated=now,
        metrics=tuple(
            MetricValue(name=name, value=text(value)) for name, value in values if value is not None
        ),
    )
