"""Prune: cut filters of a float student, and train what is left.

Owns the order of the two. Must not know criteria, nor how training or conversion work.
"""

from __future__ import annotations

import time

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import PruneInput
from compression_contract.results import TrainFacts
from compression_jobs import framework, students
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.models import WEIGHTS_FILE, load_network
from compression_jobs.pruning.filters import prune
from compression_jobs.training.data import open_data
from compression_jobs.training.instruction import objective
from compression_jobs.training.loop import Course, train


def run(context: StageContext[PruneInput]) -> StageOutcome:
    """Cut, train and store the narrower student.

    Raises:
        Diverged: TrainingDiverged.
        InvalidInput: LayerUnknown, PruningImpossible, FormatUnsupported.
        InvalidInput, InvalidData, NotFound, Denied, Unavailable: about student, teachers and dataset.
        Defect: the converter ended.
    """
    start = time.monotonic()
    given = context.parameters
    students.require_formats(given.formats, students.FORMATS)
    framework.start(given.dataset.seed)

    source = context.fetch(given.source, ArtifactKind.FLOAT_STUDENT, only={WEIGHTS_FILE})
    loaded = load_network(source)
    network, architecture = loaded.network, loaded.architecture
    data = open_data(context, given.dataset)
    data.require_fit(architecture.input_shape, architecture.num_classes, "The student")
    done = prune(network, architecture, given.pruning)
    architecture = architecture.model_copy(update={"widths": {**architecture.widths, **done.shapes}})
    facts = TrainFacts(stage="prune", seconds=0, before=done.before, after=done.after)
    history: list[object] = []
    if given.finetune_epochs > 0:
        goal = objective(context, data, given.task, network, given.distillation)
        course = Course(given.finetune_epochs, given.optimizer, given.dataset.seed)
        trained = train(network, data.training.split, data.training.samples, goal, course, context.keeper)
        history = list(trained.to_json())
        facts = facts.model_copy(update=trained.facts())

    output = students.store(
        context.folder("student"),
        context.folder("program"),
        students.Trained(network, architecture, history),
        given.onnx_opset,
        given.formats,
        datasetDigest=given.dataset.digest,
        sourceDigest=given.source.digest,
        seed=given.dataset.seed,
    )
    seconds = round(time.monotonic() - start, 1)
    return StageOutcome(
        facts.model_copy(update={"seconds": seconds, "bad_records": data.bad_records}), output
    )
