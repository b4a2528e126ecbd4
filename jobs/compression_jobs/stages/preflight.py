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
from compression_jobs.readers import files_of, open_reader
from compression_jobs.tasks import task
from compression_jobs.training.data import evenly
from compression_jobs.training.instruction import TeacherSource

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
    test, judge = dataset.split(given.dataset.splits.test), task(given.task, dataset.facts)
    chosen = metrics.choose([given.metric], judge.metrics, given.num_classes)
    samples = evenly(len(test), given.max_samples)
    source, truth = TeacherSource(context, given.task, dataset.facts), test.targets(samples)
    measured = []
    for teacher in given.teachers:
        answers = judge.judge(source.open(teacher).outputs(test, samples), truth)
        value = _finite(teacher.name, given.metric.name, metrics.point(chosen, given.metric.name, answers))
        log.info("teacher measured", extra={"fields": {"teacher": teacher.name, given.metric.name: value}})
        measured.append(TeacherMeasurement(name=teacher.name, value=round(value, 6), samples=len(samples)))
    return StageOutcome(PreflightFacts(metric=given.metric.name, teachers=tuple(measured)))


def _finite(teacher: str, metric: str, value: float) -> float:
    if not math.isfinite(value):
        raise InvalidData(
            "MetricUndefined",
            f"{metric} of teacher {teacher} has no value on the test split, which shows nothing to find; "
            "correct spec.dataset.splits.",
        )
    return value
