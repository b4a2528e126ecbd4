"""Preflight: measure every teacher on the test split before any training.

Owns what is asked of a teacher. Must not judge: whether one is good enough is the operator's to say.
"""

from __future__ import annotations

import logging

import numpy as np

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.inputs import PreflightInput
from compression_contract.results import PreflightFacts, TeacherMeasurement
from compression_jobs import framework, metrics
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidInput
from compression_jobs.metrics.answers import Answers
from compression_jobs.readers import files_of, open_reader
from compression_jobs.training.data import evenly
from compression_jobs.training.instruction import fetch_teacher

log = logging.getLogger(__name__)


def run(context: StageContext[PreflightInput]) -> StageOutcome:
    """Measure the teachers.

    Raises:
        InvalidInput: MetricUnknown, TeacherFormatUnsupported.
        InvalidData: ClassesDiffer, ShapesDiffer, TeacherUnreadable, TeacherInvalid, and the dataset's.
        NotFound, Denied, Unavailable: the store's answer.
    """
    given = context.parameters
    framework.start(given.dataset.seed)

    metric = metrics.choose([given.metric], given.num_classes).shares.get(given.metric.name)
    if metric is None:
        raise InvalidInput(
            "MetricNotApplicable",
            f"Teachers are measured by a share of samples, {given.metric.name} is none; choose top1.",
        )
    reference = ArtifactRef(uri=given.dataset.uri, digest=given.dataset.digest)
    wanted = files_of(given.dataset.reader, given.dataset.splits.test)
    artifact = context.fetch(reference, ArtifactKind.DATASET, only=wanted)
    test = open_reader(given.dataset.reader, artifact).split(given.dataset.splits.test)
    samples = evenly(len(test), given.max_samples)
    measured = []
    for teacher in given.teachers:
        logits = fetch_teacher(context, teacher, given.num_classes).logits(test, samples)
        value = float(np.mean(metric.correct(Answers.of(logits, test.labels[samples]))))
        log.info("teacher measured", extra={"fields": {"teacher": teacher.name, given.metric.name: value}})
        measured.append(TeacherMeasurement(name=teacher.name, value=round(value, 6), samples=len(samples)))
    return StageOutcome(PreflightFacts(metric=given.metric.name, teachers=tuple(measured)))
