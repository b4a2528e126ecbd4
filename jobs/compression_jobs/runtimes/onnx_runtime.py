"""ONNX Runtime on the CPU, with the options that the serving image uses.

Owns opening a model in the mode it will be deployed in, and refusing one that would silently run in another.
Must not know metrics or data.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compression_contract.served_model import TensorSpec
from compression_jobs.errors import InvalidData, Misconfigured
from compression_jobs.runtimes import onnx_file

FORMATS: Final = frozenset({"ONNX", "ONNXQDQ"})
_DATATYPES: Final = {"tensor(float)": "FP32"}


@dataclass(frozen=True, slots=True)
class OnnxSession:
    """An opened ONNX file."""

    session: Any
    name: str
    input: TensorSpec
    output: TensorSpec

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """One call.

        Raises:
            InvalidData: ModelFailed.
        """
        try:
            (output,) = self.session.run([self.output.name], {self.input.name: batch})
        except Exception as error:
            raise InvalidData(
                "ModelFailed", f"{self.name} failed on an input: {_one_line(error)}."
            ) from error
        answer: NDArray[np.float32] = output
        return answer


def open_model(path: Path, model_format: str, threads: int) -> OnnxSession:
    """Open a model file as the serving image does.

    Args:
        path: the file.
        model_format: "ONNXQDQ" must run on integer kernels; "ONNX" may be float.
        threads: of one call.

    Raises:
        InvalidData: what `onnx_file.read` refuses; NotQuantised, ModelRefused, SignatureUnsupported.
        Misconfigured: FormatUnsupported.
    """
    if model_format not in FORMATS:
        raise Misconfigured(
            "FormatUnsupported",
            f"onnxruntime does not run {model_format}; choose {' or '.join(sorted(FORMATS))}.",
        )
    onnx_file.read(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    optimized = path.with_suffix(".optimized.onnx")
    options.optimized_model_filepath = str(optimized)
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InvalidData("ModelRefused", f"onnxruntime refuses {path.name}: {_one_line(error)}.") from error
    kernels = onnx_file.operators(onnx_file.read(optimized))
    optimized.unlink()
    if model_format == "ONNXQDQ":
        _require_integers(path, kernels)
    return OnnxSession(
        session, path.name, _only(session.get_inputs(), path), _only(session.get_outputs(), path)
    )


def _require_integers(path: Path, kernels: Counter[str]) -> None:
    """A QDQ file whose pairs the runtime cannot fuse computes in float, slower than FP32 does."""
    if not onnx_file.INTEGER_KERNELS & kernels.keys():
        raise InvalidData(
            "NotQuantised",
            f"{path.name} should run in INT8, but onnxruntime finds no integer operator in it; "
            "export it with QuantizeLinear and DequantizeLinear around its layers.",
        )


def _only(tensors: list[Any], path: Path) -> TensorSpec:
    specs = [
        TensorSpec(name=t.name, datatype=_DATATYPES.get(t.type, t.type), shape=_shape(t)) for t in tensors
    ]
    if len(specs) != 1 or specs[0].datatype != "FP32" or len(specs[0].shape) < 2:
        raise InvalidData(
            "SignatureUnsupported",
            f"{path.name} must have one float32 input and one float32 output, both with a batch in front.",
        )
    return specs[0]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) and size >= 0 else -1 for size in tensor.shape)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
