"""QAT: fine-tune a float student under fake quantisation.

Owns the candidate that comes of it. Must not know how training or conversion work.
"""

from __future__ import annotations

import time
from typing import Any

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import QATInput
from compression_contract.methods import Optimizer
from compression_contract.results import TrainFacts
from compression_jobs import candidates, framework, networks
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidInput
from compression_jobs.exporters.convert import to_int8_onnx
from compression_jobs.exporters.program import save_program
from compression_jobs.exporters.scales import write_scales
from compression_jobs.models import WEIGHTS_FILE, Architecture, load_network
from compression_jobs.quantizers import slim
from compression_jobs.quantizers.post_training import weights_by_layer
from compression_jobs.training.data import open_data
from compression_jobs.training.instruction import objective
from compression_jobs.training.loop import Course, predict, train


def run(context: StageContext[QATInput]) -> StageOutcome:
    """Fine-tune and store the candidate.

    Raises:
        Diverged: TrainingDiverged.
        InvalidInput: QuanterUnsupported.
        InvalidData, NotFound, Denied, Unavailable: about student, teachers and dataset.
        Defect: the converter ended.
    """
    start = time.monotonic()
    given = context.parameters
    _require_supported(given)
    framework.start(given.dataset.seed)

    source = context.fetch(given.source, ArtifactKind.FLOAT_STUDENT, only={WEIGHTS_FILE})
    loaded = load_network(source)
    architecture = loaded.architecture
    data = open_data(context, given.dataset)
    data.require_fit(architecture.input_shape, architecture.num_classes, "The student")
    network = slim.prepare_training(loaded.network)
    course = Course(
        given.epochs,
        Optimizer(name="Adam", learning_rate=given.learning_rate, batch_size=given.batch_size),
        given.dataset.seed,
        given.freeze_batch_norm_after,
    )
    goal = objective(context, data, given.distillation)
    history = train(network, data.training.split, data.training.samples, goal, course)

    folder = context.folder("candidate")
    candidates.keep_reference(folder, data.test.samples, predict(network, data.test.split, data.test.samples))
    layers = _export(context, network, architecture, data)
    facts = TrainFacts(
        stage="qat",
        seconds=round(time.monotonic() - start, 1),
        steps=history.steps,
        loss=round(history.loss, 6),
        layers=layers,
    )
    return StageOutcome(
        facts, candidates.describe(folder, "QAT", given.source, architecture, engine="PaddleSlim")
    )


def _export(context: StageContext[QATInput], network: Any, architecture: Architecture, data: Any) -> int:
    """Write the trained weights as a plain float program and put the learned grids into its ONNX form."""
    folder, scratch = context.folder("candidate"), context.folder("program")
    plain = networks.build(architecture.arch, architecture.input_shape, architecture.num_classes)
    plain.set_state_dict(slim.trained_weights(network))
    save_program(plain, architecture.input_shape, scratch / "float")
    layers = slim.trained_layers(network, weights_by_layer(plain))
    write_scales(folder / candidates.SCALES_FILE, layers)
    calibration = data.calibration
    return to_int8_onnx(
        scratch / "float",
        folder / candidates.MODEL_FILE,
        layers,
        calibration.split.inputs(calibration.samples[:512]),
        context.parameters.onnx_opset,
        scratch,
    )


def _require_supported(given: QATInput) -> None:
    wanted = given.quanters
    if wanted.weight != "ChannelWiseAbsMax" or wanted.activation != "MovingAvgAbsMax":
        raise InvalidInput(
            "QuanterUnsupported",
            f"Quanters {wanted.weight} and {wanted.activation} are not in this image; set qat.quanters to "
            "ChannelWiseAbsMax and MovingAvgAbsMax.",
        )
