"""PTQ: quantise a float student after training.

Owns the candidate that comes of it. Must not know how an engine works.
"""

from __future__ import annotations

import time

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import PTQInput
from compression_contract.results import TrainFacts
from compression_jobs import candidates, framework
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.models import architecture_of
from compression_jobs.quantizers.post_training import ENGINES, Work, require_supported
from compression_jobs.training.data import open_data


def run(context: StageContext[PTQInput]) -> StageOutcome:
    """Quantise and store the candidate.

    Raises:
        InvalidInput: BitsUnsupported, OutlierUnsupported, ObserverUnsupported, LayerUnknown.
        InvalidData, NotFound, Denied, Unavailable: about student and dataset.
        Defect: the converter ended.
    """
    start = time.monotonic()
    given = context.parameters
    framework.start(given.dataset.seed)

    require_supported(given)
    engine = ENGINES[given.engine]
    source = context.fetch(given.source, ArtifactKind.FLOAT_STUDENT, only=engine.files)
    architecture = architecture_of(source.manifest.facts, source.digest)
    data = open_data(context, given.dataset)
    data.require_fit(architecture.input_shape, architecture.num_classes, "The student")
    folder = context.folder("candidate")
    done = engine.quantise(Work(given, source, architecture, data, folder, context.folder("program")))
    candidates.keep_reference(folder, data.test.samples, done.reference)
    facts = TrainFacts(stage="ptq", seconds=round(time.monotonic() - start, 1), layers=done.layers)
    return StageOutcome(
        facts,
        candidates.describe(
            folder,
            "PTQ",
            given.source,
            architecture,
            engine=given.engine,
            calibrationSamples=done.calibration_samples,
        ),
    )
