"""Float students: what every stage that trains one stores.

Owns the files of that kind of artifact. Must not train or convert.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from compression_contract.artifacts import ArtifactKind
from compression_contract.base import canonical_json
from compression_contract.formats import FLOAT_FILES, PROGRAM_FORMAT
from compression_jobs.context import Output
from compression_jobs.errors import InvalidInput
from compression_jobs.exporters.convert import to_float_onnx
from compression_jobs.exporters.program import save_program
from compression_jobs.models import FLOAT_ONNX_FILE, HISTORY_FILE, WEIGHTS_FILE, Architecture, save_weights

FORMATS: Final = frozenset({"ONNX", "ONNXQDQ", PROGRAM_FORMAT})
"""What a step that trains a float student can leave for those that quantise it."""


def require_formats(formats: tuple[str, ...], possible: frozenset[str]) -> None:
    """Refuse a file that cannot be made, before any work.

    Raises:
        InvalidInput: FormatUnsupported.
    """
    unknown = sorted(set(formats) - possible)
    if unknown:
        raise InvalidInput(
            "FormatUnsupported",
            f"This step cannot make {unknown[0]}, only {', '.join(sorted(possible))}; correct "
            "spec.export.formats.",
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """A network, what it is, and the history of its training as JSON has it."""

    network: Any
    architecture: Architecture
    history: Any


def store(
    folder: Path, scratch: Path, done: Trained, opset: int, formats: tuple[str, ...] = (), **facts: Any
) -> Output:
    """Write a trained network into a folder, as weights and as FP32 ONNX.

    Args:
        folder: of the artifact.
        scratch: for what lies between.
        done: what training left.
        opset: version of ONNX's operators.
        formats: PaddleInference among them asks for the program too.
        facts: for the manifest, beside the architecture.

    Raises:
        Defect, OutOfMemory, TransferFailed: the converter's end.
    """
    save_weights(done.network, folder / WEIGHTS_FILE)
    architecture = done.architecture
    prefix = (folder if PROGRAM_FORMAT in formats else scratch) / Path(FLOAT_FILES[PROGRAM_FORMAT][0]).stem
    save_program(done.network, architecture.input_shape, prefix, architecture.input_type)
    to_float_onnx(prefix, folder / FLOAT_ONNX_FILE, opset, scratch)
    (folder / HISTORY_FILE).write_bytes(canonical_json(done.history))
    return Output(folder, ArtifactKind.FLOAT_STUDENT, {**architecture.wire(), **facts})
