"""Train teacher: a network trained on labels alone, stored as a Paddle inference program.

Owns what a Teacher artifact consists of. Asked for by a Job of the tenant; where the same input was trained
before, the runner finds it and this does not run.
"""

from __future__ import annotations

import logging

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import TrainTeacherInput
from compression_jobs import framework, networks
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.exporters.program import save_program
from compression_jobs.models import WEIGHTS_FILE, Architecture, save_weights
from compression_jobs.training.data import open_data
from compression_jobs.training.loop import Course, predict, train
from compression_jobs.training.objectives import CrossEntropy
from compression_jobs.training.teachers import PROGRAM

log = logging.getLogger(__name__)


def run(context: StageContext[TrainTeacherInput]) -> StageOutcome:
    """Train and store the teacher.

    Raises:
        Diverged: TrainingDiverged.
        Misconfigured: ArchitectureUnknown.
        InvalidData, NotFound, Denied, Unavailable: about the dataset.
    """
    given = context.parameters
    framework.start(given.dataset.seed)

    data = open_data(context, given.dataset)
    architecture = Architecture(
        arch=given.arch, input_shape=data.facts.input_shape, num_classes=data.facts.num_classes
    )
    network = networks.build(given.arch, architecture.input_shape, architecture.num_classes)
    goal = CrossEntropy(data.training.split.labels)
    course = Course(given.epochs, given.optimizer, given.dataset.seed)
    train(network, data.training.split, data.training.samples, goal, course)
    answers = predict(network, data.test.split, data.test.samples).argmax(axis=1)
    right = float((answers == data.test.split.labels[data.test.samples]).mean())
    log.info("teacher trained", extra={"fields": {"top1": right, "samples": len(answers)}})

    folder = context.folder("teacher")
    save_program(network, architecture.input_shape, folder / PROGRAM.removesuffix(".pdmodel"))
    save_weights(network, folder / WEIGHTS_FILE)
    described = {**architecture.wire(), "datasetDigest": given.dataset.digest, "seed": given.dataset.seed}
    return StageOutcome(None, Output(folder, ArtifactKind.TEACHER, described))
