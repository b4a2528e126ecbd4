"""PTQ: quantise a float student after training.

Owns the candidate that comes of it. Must not know how an engine works.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import PTQInput
from compression_contract.results import TrainFacts
from compression_contract.tasks import METRICS
from compression_jobs import candidates, framework, metrics, students
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.models import WEIGHTS_FILE, load_network
from compression_jobs.quantizers import outliers, sensitivity
from compression_jobs.quantizers.calibration import batches
from compression_jobs.quantizers.post_training import (
    ENGINES,
    Quantised,
    Work,
    require_layers,
    require_supported,
    weights_by_layer,
)
from compression_jobs.quantizers.ranges import observe
from compression_jobs.tasks import task
from compression_jobs.training.data import Data, evenly, open_data


def run(context: StageContext[PTQInput]) -> StageOutcome:
    """Quantise and store the candidate.

    Raises:
        InvalidInput: BitsUnsupported, ObserverUnsupported, FormatUnsupported, SmoothAlphaInvalid,
            OutlierNotApplicable, LayerUnknown, NothingToQuantise, ExportFailed.
        InvalidData, NotFound, Denied, Unavailable: about student and dataset.
        Defect: the converter ended.
    """
    start = time.monotonic()
    given = context.parameters
    engine = ENGINES[given.engine]
    require_supported(given)
    students.require_formats(given.formats, engine.formats)
    treatment = outliers.treatment(given.outlier, given.smooth_alpha)
    framework.start(given.dataset.seed)

    source = context.fetch(given.source, ArtifactKind.FLOAT_STUDENT, only={WEIGHTS_FILE})
    loaded = load_network(source)
    network, architecture = loaded.network, loaded.architecture
    require_layers(given.skip_layers, weights_by_layer(network))
    data = open_data(context, given.dataset)
    data.require_fit(architecture.input_shape, architecture.num_classes, "The student")
    calibration = batches(data.calibration, given.calibration)
    treated = 0
    if treatment is not None:
        treated = outliers.suppress(network, architecture, observe(network, calibration), treatment)
    work = Work(
        given, network, architecture, calibration, context.folder("candidate"), context.folder("program")
    )
    done = engine.quantise(work)
    candidates.keep_reference(work.folder, data.test, done.answer)
    candidates.keep_formats(work.folder, given.formats, work.scratch)
    if given.sensitivity:
        found = _sensitivity(work, done, data)
        (work.folder / candidates.SENSITIVITY_FILE).write_bytes(found.to_json())
    facts = TrainFacts(
        stage="ptq",
        seconds=round(time.monotonic() - start, 1),
        layers=done.layers,
        bad_records=data.bad_records,
    )
    told = {"engine": given.engine, "calibrationSamples": calibration.samples, **done.told}
    if treatment is not None:
        told["outliers"] = {"treatment": given.outlier, "places": treated}
    return StageOutcome(facts, candidates.describe(work.folder, "PTQ", given.source, architecture, **told))


def _sensitivity(work: Work, done: Quantised, data: Data) -> sensitivity.Sensitivity:
    """By the task's main metric, on samples that are used for nothing but calibration."""
    judge = task(work.given.task, data.facts)
    name = next(iter(judge.metrics))
    sign = -1 if METRICS[work.given.task][name] == "LowerIsBetter" else 1
    part = data.calibration
    chosen = part.samples[evenly(len(part.samples), sensitivity.MAX_SAMPLES)]
    truth = part.split.targets(chosen)
    known = metrics.Chosen(
        {key: metric for key, metric in judge.metrics.items() if isinstance(metric, metrics.Share)},
        {key: metric for key, metric in judge.metrics.items() if isinstance(metric, metrics.Whole)},
    )

    def value(outputs: NDArray[np.float32]) -> float:
        return sign * metrics.point(known, name, judge.judge(outputs, truth))

    return sensitivity.analyse(
        work.float_model,
        done.grids,
        part.split.inputs(chosen),
        sensitivity.Judge(name, value, judge.same),
    )
