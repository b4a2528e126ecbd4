"""From the contract's description of distillation to an objective.

Owns fetching teachers, and whether their answers are computed once or again and again.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import numpy as np

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.methods import Distillation, TeacherInput
from compression_jobs.context import StageContext
from compression_jobs.errors import InvalidInput
from compression_jobs.losses.distillation import DistillationLoss
from compression_jobs.training.data import Data
from compression_jobs.training.objectives import CrossEntropy, Distilled, Objective
from compression_jobs.training.teachers import PROGRAM, WEIGHTS, Teacher, TeacherTargets

FILES: Final = frozenset({PROGRAM, WEIGHTS})

log = logging.getLogger(__name__)


def fetch_teacher(context: StageContext[Any], given: TeacherInput, classes: int) -> Teacher:
    """A teacher, ready to answer.

    Raises:
        InvalidInput: TeacherFormatUnsupported.
        InvalidData: WrongArtifactKind, DigestMismatch, FileMissing, and those of Teacher.
        NotFound, Denied, Unavailable: the store's answer.
    """
    if given.format != "PaddleInference":
        raise InvalidInput(
            "TeacherFormatUnsupported",
            f"Teacher {given.name} is stored as {given.format}, which is a pickle that could run code here; "
            "save it by paddle.jit.save and say PaddleInference.",
        )
    reference = ArtifactRef(uri=given.uri, digest=given.digest)
    artifact = context.fetch(reference, ArtifactKind.TEACHER, only=FILES)
    for path in sorted(FILES):
        artifact.file(path)
    return Teacher(given.name, artifact.folder, classes)


def objective(
    context: StageContext[Any], data: Data, given: Distillation | None, cache: bool = True
) -> Objective:
    """What to train by: labels and teachers, or labels alone where there are no teachers.

    Args:
        context: of the stage.
        data: its dataset.
        given: the distillation, if any.
        cache: compute the teachers' answers once, before training.

    Raises:
        InvalidInput: FeatureMimicUnsupported, TeacherFormatUnsupported.
    """
    labels = data.training.split.labels
    if given is None or not given.teachers:
        return CrossEntropy(labels)
    if given.features:
        raise InvalidInput(
            "FeatureMimicUnsupported",
            "This image distils logits only; remove spec.pipeline.steps[].distill.features.",
        )
    targets = TeacherTargets(
        teachers=[fetch_teacher(context, teacher, data.facts.num_classes) for teacher in given.teachers],
        weights=np.asarray([teacher.weight for teacher in given.teachers], np.float32),
        data=data.training.split,
        combine=given.combine,
        temperature=given.temperature,
    )
    formula = DistillationLoss(given.temperature, given.scale_by_temperature_squared)
    if not cache:
        return Distilled(labels, targets, formula, given.alpha)
    start = time.monotonic()
    cached = targets.cached(data.training.samples)
    told = {"samples": len(data.training.samples), "seconds": round(time.monotonic() - start, 1)}
    log.info("the teachers have answered", extra={"fields": told})
    return Distilled(labels, cached, formula, given.alpha)
