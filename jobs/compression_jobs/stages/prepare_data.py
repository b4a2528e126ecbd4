"""Prepare data: an example dataset becomes an artifact.

Owns nothing but handing over to the source. What it needs comes with the image, as pods have no way out to
the internet; the same settings give the same artifact, and nothing is done where it is stored already.
"""

from __future__ import annotations

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import PrepareDataInput
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.sources import SOURCES


def run(context: StageContext[PrepareDataInput]) -> StageOutcome:
    """Write the dataset.

    Raises:
        NotFound: SourceNotFound.
        InvalidData: SourceInvalid.
    """
    given = context.parameters
    folder = context.folder("dataset")
    facts = SOURCES[given.kind](given, folder)
    return StageOutcome(None, Output(folder, ArtifactKind.DATASET, facts.wire()))
