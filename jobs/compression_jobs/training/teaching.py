"""What each teacher gives to a training: which of its outputs are kept, and which it is asked for each time.

Owns that choice, and the mixture of several teachers. Must not know students or losses of layers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from compression_contract.methods import Distillation, TeacherInput
from compression_jobs.losses.supervision import Supervision
from compression_jobs.readers import Indices
from compression_jobs.training.lessons import Asked, Batch, Kept, Lesson, Live, Mixture
from compression_jobs.training.rows import Layout, Writer, mapped
from compression_jobs.training.teacher_outputs import OutputStore, fits
from compression_jobs.training.teachers import OUTPUT, Teacher

Shape = tuple[int, ...]
Open = Callable[[TeacherInput, Sequence[str]], Teacher]
"""Fetches a teacher and opens it with some inner layers shown."""
_CHUNK = 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taught:
    """A lesson and the shape of what it gives for one sample."""

    lesson: Lesson
    shape: Shape


def kept_or_live(
    store: OutputStore, open_teacher: Open, given: TeacherInput, layers: Sequence[str]
) -> dict[str, Taught]:
    """A teacher's outputs by name, each computed once where that is possible.

    A teacher all of whose outputs are known is not even fetched.

    Raises:
        InvalidInput, InvalidData, NotFound, Denied, Unavailable: about teacher and store.
    """
    keys = {output: store.samples.key(given.digest, output) for output in (OUTPUT, *layers)}
    found = {output: rows for output, key in keys.items() if (rows := store.find(key)) is not None}
    missing = [output for output in keys if output not in found]
    live: dict[str, Taught] = {}
    if missing:
        teacher = open_teacher(given, [output for output in missing if output])
        shapes = _shapes(store, teacher)
        small = [output for output in missing if fits(len(store.samples.indices), shapes[output])]
        if small:
            found |= store.compute(teacher, {output: keys[output] for output in small})
        large = [output for output in missing if output not in small]
        if large:
            log.info(
                "outputs are too large to be kept and are computed batch by batch",
                extra={"fields": {"teacher": given.name, "outputs": large}},
            )
            live = _live(open_teacher(given, [output for output in large if output]), large, shapes)
    return {**{output: Taught(Kept(rows), rows.shape) for output, rows in found.items()}, **live}


def live(
    store: OutputStore, open_teacher: Open, given: TeacherInput, layers: Sequence[str]
) -> dict[str, Taught]:
    """A teacher's outputs by name, each computed when it is asked for.

    Raises:
        InvalidInput, InvalidData, NotFound, Denied, Unavailable: about teacher and store.
    """
    teacher = open_teacher(given, layers)
    return _live(teacher, (OUTPUT, *layers), _shapes(store, teacher))


def mixture(
    store: OutputStore, supervision: Supervision, given: Distillation, answers: Sequence[Taught]
) -> Lesson:
    """The soft targets of all teachers; mixed once where all answers are kept and it is small enough."""
    mixed = Mixture([taught.lesson for taught in answers], supervision, store.samples.split, given)
    if mixed.needs_inputs:
        return mixed
    indices, split = store.samples.indices, store.samples.split
    shape = mixed.of(Batch(indices[:1], None)).shape[1:]
    if not fits(len(indices), shape):
        return mixed
    layout, folder = Layout.of(len(indices), shape), store.context.folder("outputs/mixed")
    writer = Writer(folder, layout)
    for part in _chunks(indices):
        writer.add(mixed.of(Batch(part, None)))
    writer.close()
    return Kept(mapped(folder, layout, indices, len(split)))


def _live(teacher: Teacher, outputs: Sequence[str], shapes: dict[str, Shape]) -> dict[str, Taught]:
    asked = Asked(teacher)
    return {output: Taught(Live(asked, output), shapes[output]) for output in outputs}


def _shapes(store: OutputStore, teacher: Teacher) -> dict[str, Shape]:
    first = teacher.answers(store.samples.split.inputs(store.samples.indices[:1]))
    return {output: values.shape[1:] for output, values in first.items()}


def _chunks(indices: Indices) -> Iterator[Indices]:
    for start in range(0, len(indices), _CHUNK):
        yield indices[start : start + _CHUNK]
