"""Distill: train a float student under its teachers.

Owns what a FloatStudent artifact consists of. Must not know how training or conversion work.
"""

from __future__ import annotations

import time
from typing import Any

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import DistillInput
from compression_contract.results import TrainFacts
from compression_jobs import framework, models, networks, students
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidData
from compression_jobs.models import WEIGHTS_FILE, Architecture
from compression_jobs.training.data import Data, open_data
from compression_jobs.training.instruction import objective
from compression_jobs.training.loop import Course, train


def run(context: StageContext[DistillInput]) -> StageOutcome:
    """Train the student and store it with its FP32 ONNX file.

    Raises:
        Diverged: TrainingDiverged.
        Misconfigured: ArchitectureUnknown.
        InvalidInput: FormatUnsupported; LayerUnknown, LayersDiffer, about features.
        InvalidInput, InvalidData, NotFound, Denied, Unavailable: about student, teachers and dataset.
    """
    start = time.monotonic()
    given = context.parameters
    students.require_formats(given.formats, students.FORMATS)
    framework.start(given.dataset.seed)

    data = open_data(context, given.dataset)
    data.require_fit(given.student.input_shape, given.student.num_classes, "The student")
    network, architecture = _student(context, data)
    goal = objective(
        context, data, given.task, network, given.distillation, cache=given.cache_teacher_outputs
    )
    course = Course(given.epochs, given.optimizer, given.dataset.seed)
    history = train(network, data.training.split, data.training.samples, goal, course, context.keeper)

    output = students.store(
        context.folder("student"),
        context.folder("program"),
        students.Trained(network, architecture, history.to_json()),
        given.onnx_opset,
        given.formats,
        datasetDigest=given.dataset.digest,
        seed=given.dataset.seed,
    )
    facts = TrainFacts(
        stage="distill",
        seconds=round(time.monotonic() - start, 1),
        bad_records=data.bad_records,
        **history.facts(),
    )
    return StageOutcome(facts, output)


def _student(context: StageContext[DistillInput], data: Data) -> tuple[Any, Architecture]:
    """A fresh network, or a stored one to go on with."""
    given = context.parameters.student
    if given.artifact is None:
        architecture = Architecture(
            arch=given.arch,
            input_shape=given.input_shape,
            num_classes=given.num_classes,
            input_type=data.facts.input_type,
        )
        return networks.build(given.arch, given.input_shape, given.num_classes), architecture
    stored = context.fetch(given.artifact, ArtifactKind.FLOAT_STUDENT, only={WEIGHTS_FILE})
    loaded = models.load_network(stored)
    found = loaded.architecture
    if (found.input_shape, found.num_classes) != (given.input_shape, given.num_classes):
        raise InvalidData(
            "ShapesDiffer",
            f"The stored student takes {list(found.input_shape)} and knows {found.num_classes} classes, not "
            f"{list(given.input_shape)} and {given.num_classes}; correct spec.student.",
        )
    return loaded.network, found
