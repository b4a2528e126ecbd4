"""Preflight: measure every teacher on the test split before any training.

Owns what is asked of a teacher. Must not judge: whether one is good enough is the operator's to say.
"""

from __future__ import annotations

import logging
import math

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.inputs import PreflightInput
from compression_contract.results import PreflightFacts, TeacherMeasurement
from compression_jobs import framework, metrics
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidData
from compression_jobs.metrics.answers import Answers
from compression_jobs.readers import Indices, Split, files_of, open_reader
from compression_jobs.tasks import Task, task
from compression_jobs.training.data import evenly
from compression_jobs.training.instruction import TeacherSource
from compression_jobs.training.teachers import BATCH, Teacher

log = logging.getLogger(__name__)


def run(context: StageContext[PreflightInput]) -> StageOutcome:
    """Measure the teachers.

    Raises:
        InvalidInput: MetricUnknown, MetricNotApplicable, TaskMismatch, TeacherFormatUnsupported.
        InvalidData: ClassesDiffer, ShapesDiffer, TeacherUnreadable, TeacherInvalid, and the dataset's.
        NotFound, Denied, Unavailable: the store's answer.
    """
    given = context.parameters
    framework.start(given.dataset.seed)

    reference = ArtifactRef(uri=given.dataset.uri, digest=given.dataset.digest)
    wanted = files_of(given.dataset.reader, given.dataset.splits.test)
    artifact = context.fetch(reference, ArtifactKind.DATASET, only=wanted)
    dataset = open_reader(given.dataset.reader, artifact, given.dataset.max_bad_records)
    if given.num_classes != dataset.facts.num_classes:
        raise InvalidData(
            "ClassesDiffer",
            f"The job speaks of {given.num_classes} classes, the dataset has {dataset.facts.num_classes}; "
            "correct spec.student.numClasses.",
        )
    test, judge = dataset.split(given.dataset.splits.test), task(given.task, dataset.facts)
    chosen = metrics.choose([given.metric], judge.metrics, given.num_classes)
    samples = evenly(len(test), given.max_samples)
    source = TeacherSource(context, given.task, dataset.facts)
    measured = []
    for teacher in given.teachers:
        answers = _answers(judge, source.open(teacher), test, samples)
        value = _finite(teacher.name, given.metric.name, metrics.point(chosen, given.metric.name, answers))
        log.info("teacher measured", extra={"fields": {"teacher": teacher.name, given.metric.name: value}})
        measured.append(TeacherMeasurement(name=teacher.name, value=round(value, 6), samples=len(samples)))
    return StageOutcome(PreflightFacts(metric=given.metric.name, teachers=tuple(measured)))


def _answers(judge: Task, teacher: Teacher, test: Split, samples: Indices) -> Answers:
    """What a teacher said, judged part by part: all maps of a detector would fill memory."""
    parts = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    return Answers.joined(judge.judge(teacher.outputs(test, part), test.targets(part)) for part in parts)


def _finite(teacher: str, metric: str, value: float) -> float:
    if not math.isfinite(value):
        raise InvalidData(
            "MetricUndefined",
            f"{metric} of teacher {teacher} has no value on the test split, which shows nothing to find; "
            "correct spec.dataset.splits.",
        )
    return value
