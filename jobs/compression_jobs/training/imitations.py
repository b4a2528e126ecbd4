"""The match of a student's layers with those of its teachers.

Owns shapes, adapters, and the sentences about layers that cannot be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from compression_contract.methods import FeatureMimic
from compression_jobs.errors import InvalidInput
from compression_jobs.losses import adapters
from compression_jobs.losses.mimic import MIMICS, Shape
from compression_jobs.training.objectives import Imitation
from compression_jobs.training.teaching import Taught


def teacher_and_layer(written: str, teachers: Collection[str]) -> tuple[str, str]:
    """Who and where: ``teacher/layer``, or a layer alone where there is one teacher.

    Raises:
        InvalidInput: LayerUnknown.
    """
    name, separator, layer = written.partition("/")
    if separator and name in teachers:
        return name, layer
    if len(teachers) == 1:
        return next(iter(teachers)), written
    raise InvalidInput(
        "LayerUnknown",
        f"distill.features: {written!r} names no teacher; write teacher/layer with one of "
        f"{', '.join(sorted(teachers))}.",
    )


def build(
    features: Sequence[FeatureMimic],
    student: Mapping[str, Shape],
    taught: Mapping[str, Mapping[str, Taught]],
) -> list[Imitation]:
    """The imitations that a job asks for, with fresh adapters.

    Args:
        features: of the job.
        student: the shape of each named layer of the student.
        taught: what each teacher shows, by teacher and layer.

    Raises:
        InvalidInput: LayersDiffer.
    """
    return [
        _imitation(f"adapter{place}", feature, student[feature.student], taught)
        for place, feature in enumerate(features)
    ]


def _imitation(
    name: str, feature: FeatureMimic, shape: Shape, taught: Mapping[str, Mapping[str, Taught]]
) -> Imitation:
    teacher, layer = teacher_and_layer(feature.teacher, taught)
    lesson, wanted = taught[teacher][layer].lesson, taught[teacher][layer].shape
    mimic = MIMICS[feature.loss]
    try:
        problem = mimic.mismatch(adapters.adapted(feature.adapter, shape, wanted), wanted)
    except ValueError as error:
        raise _differ(feature, shape, wanted, str(error)) from error
    if problem:
        raise _differ(feature, shape, wanted, f"{feature.loss}: {problem}; {_way_out(shape, wanted)}")
    adapter = adapters.build(feature.adapter, name, shape, wanted)
    return Imitation(feature.student, lesson, mimic, feature.weight, adapter)


def _way_out(student: Shape, teacher: Shape) -> str:
    adapter = adapters.fitting(student, teacher)
    if adapter:
        return f"use adapter: {adapter}"
    if len(student) == len(teacher) and len(student) > 1:
        return "no adapter changes the number of positions, choose two layers of the same"
    return "choose two maps, two sequences or two vectors"


def _differ(feature: FeatureMimic, student: Shape, teacher: Shape, why: str) -> InvalidInput:
    return InvalidInput(
        "LayersDiffer",
        f"distill.features: the student's {feature.student} gives {list(student)}, {feature.teacher} gives "
        f"{list(teacher)}. {why}.",
    )
