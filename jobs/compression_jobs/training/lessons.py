"""What the student is shown of its teachers, batch by batch.

Owns the choice between what was kept and what is computed now, for single teachers and for their mixture.
Must not know losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from compression_contract.methods import Distillation
from compression_jobs.losses.supervision import Supervision
from compression_jobs.readers import Indices, Split
from compression_jobs.training.rows import Floats, Rows
from compression_jobs.training.teachers import Teacher


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples as the student sees them."""

    samples: Indices
    inputs: Any
    """The tensor that the student was given, [n, *input_shape]."""


class Lesson(Protocol):
    """Something that teachers give for each sample of a batch."""

    @property
    def needs_inputs(self) -> bool:
        """Whether a teacher has to be asked; otherwise a batch's `inputs` may be None."""
        ...

    def of(self, batch: Batch) -> Floats:
        """[n, ...]."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """Rows that were computed before the training."""

    rows: Rows

    @property
    def needs_inputs(self) -> bool:
        """See Lesson.needs_inputs."""
        return False

    def of(self, batch: Batch) -> Floats:
        """See Lesson.of."""
        return self.rows.of(batch.samples)


class Asked:
    """A teacher that is asked about each batch, once however many lessons are taken from the answer.

    It sees what the student sees: a consistent teacher teaches best (Beyer et al. 2022).
    """

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self._batch: Batch | None = None
        self._answers: dict[str, Floats] = {}

    def answers(self, batch: Batch) -> dict[str, Floats]:
        """All that the teacher shows of a batch."""
        if batch is not self._batch:
            self._batch, self._answers = batch, self._teacher.answers(batch.inputs.numpy())
        return self._answers


@dataclass(frozen=True, slots=True)
class Live:
    """One output of a teacher that is asked."""

    teacher: Asked
    output: str

    @property
    def needs_inputs(self) -> bool:
        """See Lesson.needs_inputs."""
        return True

    def of(self, batch: Batch) -> Floats:
        """See Lesson.of."""
        return self.teacher.answers(batch)[self.output]


@dataclass(frozen=True, slots=True)
class Mixture:
    """The soft targets of several teachers, mixed when they are asked for."""

    lessons: Sequence[Lesson]
    supervision: Supervision
    split: Split
    given: Distillation

    @property
    def needs_inputs(self) -> bool:
        """See Lesson.needs_inputs."""
        return any(lesson.needs_inputs for lesson in self.lessons)

    def of(self, batch: Batch) -> Floats:
        """Soft targets at the distillation's temperature."""
        outputs = np.stack([lesson.of(batch) for lesson in self.lessons])
        weights = np.asarray([teacher.weight for teacher in self.given.teachers], np.float32)
        targets = self.split.targets(batch.samples)
        return self.supervision.soft_targets(
            outputs, targets, weights, self.given.combine, self.given.temperature
        )
