"""QAT: fine-tune a float student under fake quantisation.

Owns the candidate that comes of it. Must not know how training or conversion work.
"""

from __future__ import annotations

import time
from typing import Any

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import QATInput
from compression_contract.methods import Optimizer, Quanters
from compression_contract.results import TrainFacts
from compression_jobs import candidates, framework, models, students
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.exporters.convert import to_int8_onnx
from compression_jobs.exporters.program import input_spec, save_program
from compression_jobs.exporters.request import Report
from compression_jobs.exporters.scales import write_scales
from compression_jobs.models import WEIGHTS_FILE, Architecture, load_network
from compression_jobs.quantizers import aware, slim
from compression_jobs.quantizers.calibration import MAX_EDGE_SAMPLES, USUAL, Batches, batches
from compression_jobs.quantizers.post_training import weights_by_layer
from compression_jobs.quantizers.ranges import observe
from compression_jobs.training.data import open_data
from compression_jobs.training.instruction import objective
from compression_jobs.training.loop import Course, predict, train


def run(context: StageContext[QATInput]) -> StageOutcome:
    """Fine-tune and store the candidate.

    Raises:
        Diverged: TrainingDiverged.
        InvalidInput: FormatUnsupported.
        InvalidData, NotFound, Denied, Unavailable: about student, teachers and dataset.
        Defect: the converter ended.
    """
    start = time.monotonic()
    given = context.parameters
    students.require_formats(given.formats, formats(given.quanters))
    framework.start(given.dataset.seed)

    source = context.fetch(given.source, ArtifactKind.FLOAT_STUDENT, only={WEIGHTS_FILE})
    loaded = load_network(source)
    architecture = loaded.architecture
    data = open_data(context, given.dataset)
    data.require_fit(architecture.input_shape, architecture.num_classes, "The student")
    calibration = batches(data.calibration, USUAL, spread=True)
    ranges = observe(loaded.network, calibration)
    network = aware.prepare(loaded.network, given.quanters, ranges)
    course = Course(
        given.epochs,
        Optimizer(name="Adam", learning_rate=given.learning_rate, batch_size=given.batch_size),
        given.dataset.seed,
        given.freeze_batch_norm_after,
    )
    goal = objective(context, data, given.task, network, given.distillation)
    history = train(network, data.training.split, data.training.samples, goal, course, context.keeper)

    folder = context.folder("candidate")
    candidates.keep_reference(folder, data.test, lambda part: predict(network, part.split, part.samples))
    report = _export(context, network, architecture, calibration)
    facts = TrainFacts(
        stage="qat",
        seconds=round(time.monotonic() - start, 1),
        layers=report.layers,
        bad_records=data.bad_records,
        **history.facts(),
    )
    return StageOutcome(
        facts,
        candidates.describe(
            folder,
            "QAT",
            given.source,
            architecture,
            **candidates.of_report(report),
            engine="PaddleSlim",
            quanters=given.quanters.wire(),
        ),
    )


def formats(quanters: Quanters) -> frozenset[str]:
    """The files that can be made: Paddle's own form knows its own quanters alone."""
    own = quanters != Quanters()
    return candidates.ONNX_FORMATS if own else candidates.ONNX_FORMATS | {candidates.PROGRAM_FORMAT}


def _export(
    context: StageContext[QATInput], network: Any, architecture: Architecture, batches: Batches
) -> Report:
    """Write the trained weights as a plain float program and put the learned grids into its ONNX form."""
    folder, scratch = context.folder("candidate"), context.folder("program")
    given = context.parameters
    plain = models.build(architecture)
    plain.set_state_dict(slim.trained_weights(network))
    save_program(plain, architecture.input_shape, scratch / "float", architecture.input_type)
    layers = aware.trained_layers(network, weights_by_layer(plain))
    write_scales(folder / candidates.SCALES_FILE, layers)
    output, samples = folder / candidates.MODEL_FILE, batches.first(MAX_EDGE_SAMPLES)
    report = to_int8_onnx(scratch / "float", output, layers, samples, given.onnx_opset, scratch)
    candidates.keep_formats(folder, given.formats, scratch)
    if candidates.PROGRAM_FORMAT in given.formats:
        specification = input_spec(architecture.input_shape, architecture.input_type)
        slim.save_trained(network, specification, scratch / "trained")
        candidates.keep_program(folder, scratch / "trained")
    return report
