"""Candidates: the deployed file with what proves that it is the model that was quantised.

Owns the files of that kind of artifact. Must not train, convert or judge.
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.formats import CANDIDATE_FILES, PROGRAM_FORMAT
from compression_jobs import arrays
from compression_jobs.context import Output
from compression_jobs.exporters.request import Report
from compression_jobs.models import FLOAT_ONNX_FILE, Architecture
from compression_jobs.training.data import Part, evenly

MODEL_FILE: Final = "model.onnx"
SCALES_FILE: Final = "scales.json"
FAKE_QUANT_FILE: Final = "fake_quant.npz"
SENSITIVITY_FILE: Final = "sensitivity.json"
ONNX_FORMATS: Final = frozenset({"ONNX", "ONNXQDQ"})
MAX_REFERENCE_BYTES: Final = 256 << 20

log = logging.getLogger(__name__)


def keep_reference(folder: Path, part: Part, answer: Callable[[Part], NDArray[np.float32]]) -> None:
    """Store what the fake-quantised model answers, for the evaluator to compare with.

    Args:
        folder: of the artifact.
        part: samples of the test split; fewer are taken where outputs are large.
        answer: the model's outputs for some of them, [n, ...].
    """
    size = math.prod(answer(Part(part.split, part.samples[:1])).shape)
    chosen = part.samples[evenly(len(part.samples), max(1, MAX_REFERENCE_BYTES // (4 * size)))]
    outputs = answer(Part(part.split, chosen)).astype(np.float32)
    arrays.save(folder / FAKE_QUANT_FILE, {"indices": chosen, "logits": outputs})


def keep_program(folder: Path, prefix: Path) -> None:
    """Add the fake-quantised program itself, in Paddle's own form."""
    for name in CANDIDATE_FILES[PROGRAM_FORMAT]:
        shutil.copyfile(prefix.with_name(f"{prefix.name}{Path(name).suffix}"), folder / name)


def keep_formats(folder: Path, formats: Collection[str], scratch: Path) -> None:
    """Add the float file that the INT8 one was made of, where it is asked for.

    Args:
        folder: of the artifact.
        formats: the names of the files that are wanted.
        scratch: where the converter worked.
    """
    if "ONNX" in formats:
        shutil.copyfile(scratch / FLOAT_ONNX_FILE, folder / FLOAT_ONNX_FILE)


def of_report(report: Report) -> dict[str, Any]:
    """What a candidate's manifest tells of its INT8 file."""
    return {"floatLayers": list(report.in_floats), "floatBytes": report.float_bytes}


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
