"""Train teacher: a network trained on truth alone, stored as a Paddle inference program.

Owns what a Teacher artifact consists of. Asked for by a Job of the tenant; where the same input was trained
before, the runner finds it and this does not run.
"""

from __future__ import annotations

import logging
from typing import Any

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import TrainTeacherInput
from compression_contract.methods import Metric
from compression_jobs import framework, metrics, networks
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.exporters.program import save_program
from compression_jobs.losses.supervision import supervision
from compression_jobs.models import WEIGHTS_FILE, Architecture, save_weights
from compression_jobs.tasks import Task, task
from compression_jobs.training.data import Data, open_data
from compression_jobs.training.inner_tensors import LAYERS_FACT, recorded
from compression_jobs.training.loop import Course, predict, train
from compression_jobs.training.objectives import Truth
from compression_jobs.training.teachers import PROGRAM

log = logging.getLogger(__name__)


def run(context: StageContext[TrainTeacherInput]) -> StageOutcome:
    """Train and store the teacher.

    Raises:
        Diverged: TrainingDiverged.
        Misconfigured: ArchitectureUnknown.
        InvalidInput: TaskMismatch.
        InvalidData, NotFound, Denied, Unavailable: about the dataset.
    """
    given = context.parameters
    framework.start(given.dataset.seed)

    data = open_data(context, given.dataset)
    architecture = Architecture(
        arch=given.arch,
        input_shape=data.facts.input_shape,
        num_classes=data.facts.num_classes,
        input_type=data.facts.input_type,
    )
    network = networks.build(given.arch, architecture.input_shape, architecture.num_classes)
    goal = Truth(supervision(given.task, data.facts), data.training.split)
    course = Course(given.epochs, given.optimizer, given.dataset.seed)
    train(network, data.training.split, data.training.samples, goal, course, context.keeper)
    _tell(task(given.task, data.facts), network, data)

    folder = context.folder("teacher")
    with recorded(network) as layers:
        save_program(
            network,
            architecture.input_shape,
            folder / PROGRAM.removesuffix(".pdmodel"),
            architecture.input_type,
        )
    save_weights(network, folder / WEIGHTS_FILE)
    described = {
        **architecture.wire(),
        "datasetDigest": given.dataset.digest,
        "seed": given.dataset.seed,
        LAYERS_FACT: dict(layers),
    }
    return StageOutcome(None, Output(folder, ArtifactKind.TEACHER, described))


def _tell(judge: Task, network: Any, data: Data) -> None:
    """Say how good it is by the task's main metric; the preflight of a run measures it again."""
    name = next(iter(judge.metrics))
    answers = judge.judge(
        predict(network, data.test.split, data.test.samples), data.test.split.targets(data.test.samples)
    )
    chosen = metrics.choose([Metric(name=name)], judge.metrics, data.facts.num_classes)
    told = {name: str(round(metrics.point(chosen, name, answers), 4)), "samples": len(answers)}
    log.info("teacher trained", extra={"fields": told})
