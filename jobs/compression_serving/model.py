"""The one model that is served: read, verified, loaded and checked.

Owns the ONNX Runtime session and that nothing but the described bytes gets into it. Must not know HTTP.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from pydantic import ValidationError

from compression_contract.served_model import (
    DESCRIPTION_FILE,
    GOLDEN_FILE,
    GOLDEN_INPUTS,
    GOLDEN_OUTPUTS,
    MODEL_FILE,
    ServedModel,
    TensorSpec,
    decision_axis,
)
from compression_serving.errors import ModelError, PredictionError

Array = npt.NDArray[Any]

_LARGEST_DESCRIPTION: Final = 1 << 20
_ORT_TYPES: Final = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
}


@dataclass(frozen=True)
class Model:
    """A loaded model: its description, its session and where its golden pairs lie."""

    description: ServedModel
    session: ort.InferenceSession = field(repr=False)
    golden_file: Path

    @property
    def batches(self) -> bool:
        """Whether rows of several requests may share one call: the first dimension is free everywhere."""
        tensors = (*self.description.inputs, *self.description.outputs)
        return all(tensor.shape[:1] == (-1,) for tensor in tensors)

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """All outputs for the given inputs, by name.

        Raises:
            PredictionError: the model refuses the input's values or shape.
        """
        names = [output.name for output in self.description.outputs]
        try:
            return dict(zip(names, self.session.run(names, inputs), strict=True))
        except Exception as error:  # onnxruntime's exceptions share no base of their own
            raise PredictionError(f"the model failed on this input: {_one_line(error)}") from error

    def golden_pairs(self) -> tuple[Array, Array]:
        """The golden inputs [n, …] and outputs [n, …]; raises ModelError when the file does not hold them."""
        try:
            with np.load(self.golden_file, allow_pickle=False) as archive:
                return archive[GOLDEN_INPUTS], archive[GOLDEN_OUTPUTS]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(f"{self.golden_file} does not hold golden pairs: {_one_line(error)}") from None

    def self_check(self, rows: int) -> None:
        """Predict the golden inputs, `rows` at a time; raises ModelError when the answers differ too much.

        Every pod does so on its own processor: INT8 kernels differ between them.
        """
        inputs, expected = self.golden_pairs()
        name, step = self.description.inputs[0].name, rows if self.batches else 1
        starts = range(0, len(inputs), step)
        first = self.description.outputs[0].name
        answers = np.concatenate([self.run({name: inputs[start : start + step]})[first] for start in starts])
        tolerance = self.description.tolerance
        difference = float(np.max(np.abs(answers - expected))) if answers.shape == expected.shape else np.inf
        axis = decision_axis(answers.ndim)
        agreement = (
            float(np.mean(answers.argmax(axis) == expected.argmax(axis))) if np.isfinite(difference) else 0.0
        )
        if not (difference <= tolerance.max_absolute_difference and agreement >= tolerance.top1_agreement):
            raise ModelError(
                f"this machine answers the golden inputs wrongly: largest difference {difference:.4g} "
                f"(allowed {tolerance.max_absolute_difference:g}), same class for {agreement:.4f} of "
                f"{len(inputs)} (required {tolerance.top1_agreement:g})"
            )


def load(folder: Path) -> Model | None:
    """Read, verify and load the model of a folder; None where the folder is absent or empty.

    Raises:
        ModelError: a file is missing or not the described one, or the model does not load.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        return None
    description = _description(folder / DESCRIPTION_FILE)
    raw = _read(folder / MODEL_FILE)
    _require_digest(folder / MODEL_FILE, hashlib.sha256(raw).hexdigest(), description.model_digest)
    golden = folder / GOLDEN_FILE
    _require_digest(golden, _file_digest(golden), description.golden_digest)
    options = ort.SessionOptions()
    options.intra_op_num_threads = description.threads
    options.inter_op_num_threads = 1
    # A spinning thread would eat the pod's CPU quota while it waits.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        # From the verified bytes and not from the file: what was hashed is what runs.
        session = ort.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base of their own
        raise ModelError(f"{folder / MODEL_FILE} does not load: {_one_line(error)}") from error
    _require_tensors("inputs", description.inputs, session.get_inputs())
    _require_tensors("outputs", description.outputs, session.get_outputs())
    return Model(description, session, golden)


def _description(path: Path) -> ServedModel:
    raw = _read(path, _LARGEST_DESCRIPTION)
    try:
        description = ServedModel.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise ModelError(f"{path} does not describe a model: {place}: {first['msg']}") from None
    if not description.inputs or not description.outputs:
        raise ModelError(f"{path} names no inputs or no outputs")
    return description


def _read(path: Path, limit: int | None = None) -> bytes:
    try:
        if limit is not None and path.stat().st_size > limit:
            raise ModelError(f"{path} is larger than {limit} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}): is the model layer in this image?"
        ) from None


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}): is the golden layer in this image?"
        ) from None


def _require_digest(path: Path, found: str, described: str) -> None:
    if described != f"sha256:{found}":
        raise ModelError(f"{path} has digest sha256:{found}, but {DESCRIPTION_FILE} says {described}")


def _require_tensors(which: str, described: tuple[TensorSpec, ...], loaded: list[Any]) -> None:
    found = {
        tensor.name: (_ORT_TYPES.get(tensor.type, tensor.type), _shape(tensor.shape)) for tensor in loaded
    }
    for spec in described:
        if found.get(spec.name) != (spec.datatype, spec.shape):
            actual = found.get(spec.name, "absent")
            raise ModelError(
                f"{DESCRIPTION_FILE} describes {which} {spec.name!r} as {spec.datatype} {list(spec.shape)}, "
                f"in {MODEL_FILE} it is {actual}"
            )
    if which == "inputs" and len(found) != len(described):
        raise ModelError(f"{MODEL_FILE} has inputs {sorted(found)}, {DESCRIPTION_FILE} describes fewer")


def _shape(dimensions: list[Any]) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) and size >= 0 else -1 for size in dimensions)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
