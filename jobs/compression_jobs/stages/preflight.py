"""Preflight: measure every teacher on the test split before any training.

Owns what is asked of a teacher. Must not judge: whether one is good enough is the operator's to say.
"""

from __future__ import annotations

import logging

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.inputs import PreflightInput
from compression_contract.results import PreflightFacts, TeacherMeasurement
from compression_jobs import framework, metrics
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.readers import files_of, open_reader
from compression_jobs.tasks import task
from compression_jobs.training.data import evenly
from compression_jobs.training.instruction import fetch_teacher

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
    dataset = open_reader(given.dataset.reader, artifact)
    test, judge = dataset.split(given.dataset.splits.test), task(given.task, dataset.facts)
    chosen = metrics.choose([given.metric], judge.metrics, given.num_classes)
    samples = evenly(len(test), given.max_samples)
    measured = []
    for teacher in given.teachers:
        logits = fetch_teacher(context, teacher, given.num_classes).logits(test, samples)
        value = metrics.point(chosen, given.metric.name, judge.judge(logits, test.targets(samples)))
        log.info("teacher measured", extra={"fields": {"teacher": teacher.name, given.metric.name: value}})
        measured.append(TeacherMeasurement(name=teacher.name, value=round(value, 6), samples=len(samples)))
    return StageOutcome(PreflightFacts(metric=given.metric.name, teachers=tuple(measured)))
