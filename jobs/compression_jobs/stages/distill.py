"""Distill: train a float student under its teachers.

Owns what a FloatStudent artifact consists of. Must not know how training or conversion work.
"""

from __future__ import annotations

import time
from typing import Any

from compression_contract.artifacts import ArtifactKind
from compression_contract.base import canonical_json
from compression_contract.inputs import DistillInput
from compression_contract.results import TrainFacts
from compression_jobs import framework, models, networks
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.errors import InvalidData
from compression_jobs.exporters.convert import to_float_onnx
from compression_jobs.exporters.program import save_program
from compression_jobs.models import FLOAT_ONNX_FILE, HISTORY_FILE, WEIGHTS_FILE, Architecture, save_weights
from compression_jobs.training.data import open_data
from compression_jobs.training.instruction import objective
from compression_jobs.training.loop import Course, train


def run(context: StageContext[DistillInput]) -> StageOutcome:
    """Train the student and store it with its FP32 ONNX file.

    Raises:
        Diverged: TrainingDiverged.
        Misconfigured: ArchitectureUnknown.
        InvalidInput, InvalidData, NotFound, Denied, Unavailable: about student, teachers and dataset.
    """
    start = time.monotonic()
    given = context.parameters
    framework.start(given.dataset.seed)

    data = open_data(context, given.dataset)
    data.require_fit(given.student.input_shape, given.student.num_classes, "The student")
    network, architecture = _student(context)
    goal = objective(context, data, given.distillation, given.cache_teacher_outputs)
    course = Course(given.epochs, given.optimizer, given.dataset.seed)
    history = train(network, data.training.split, data.training.samples, goal, course)

    folder, scratch = context.folder("student"), context.folder("program")
    save_weights(network, folder / WEIGHTS_FILE)
    save_program(network, architecture.input_shape, scratch / "float")
    to_float_onnx(scratch / "float", folder / FLOAT_ONNX_FILE, given.onnx_opset, scratch)
    (folder / HISTORY_FILE).write_bytes(canonical_json(history.to_json()))
    facts = TrainFacts(
        stage="distill",
        seconds=round(time.monotonic() - start, 1),
        steps=history.steps,
        loss=round(history.loss, 6),
    )
    described = {**architecture.wire(), "datasetDigest": given.dataset.digest, "seed": given.dataset.seed}
    return StageOutcome(facts, Output(folder, ArtifactKind.FLOAT_STUDENT, described))


def _student(context: StageContext[DistillInput]) -> tuple[Any, Architecture]:
    """A fresh network, or a stored one to go on with."""
    given = context.parameters.student
    if given.artifact is None:
        architecture = Architecture(
            arch=given.arch, input_shape=given.input_shape, num_classes=given.num_classes
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
