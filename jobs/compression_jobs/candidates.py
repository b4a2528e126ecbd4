"""Candidates: the deployed file with what proves that it is the model that was quantised.

Owns the files of that kind of artifact. Must not train, convert or judge.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_jobs import arrays
from compression_jobs.context import Output
from compression_jobs.models import Architecture
from compression_jobs.readers import Indices

MODEL_FILE: Final = "model.onnx"
SCALES_FILE: Final = "scales.json"
FAKE_QUANT_FILE: Final = "fake_quant.npz"

log = logging.getLogger(__name__)


def keep_reference(folder: Path, samples: Indices, logits: NDArray[np.float32]) -> None:
    """Store what the fake-quantised model answers, for the evaluator to compare with.

    Args:
        folder: of the artifact.
        samples: numbers in the test split, [n].
        logits: [n, classes].
    """
    arrays.save(folder / FAKE_QUANT_FILE, {"indices": samples, "logits": logits.astype(np.float32)})


def describe(
    folder: Path, method: str, source: ArtifactRef, architecture: Architecture, **facts: Any
) -> Output:
    """The artifact of a folder that holds a candidate's files."""
    size = (folder / MODEL_FILE).stat().st_size
    log.info("candidate written", extra={"fields": {"method": method, "bytes": size}})
    return Output(
        folder,
        ArtifactKind.CANDIDATE,
        {"method": method, "sourceDigest": source.digest, **architecture.wire(), **facts},
    )
