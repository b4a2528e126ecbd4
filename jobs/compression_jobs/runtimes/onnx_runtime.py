"""ONNX Runtime on the CPU, with the options that the serving image uses.

Owns opening a model in the mode it will be deployed in, and refusing one that would silently run in another.
Must not know metrics or data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compression_contract.served_model import TensorSpec
from compression_jobs.runtimes import ModelFiles, refusals

_NAME: Final = "onnxruntime"
_DATATYPES: Final = {"tensor(float)": "FP32", "tensor(int64)": "INT64"}


@dataclass(frozen=True, slots=True)
class OnnxSession:
    """An opened ONNX file."""

    session: Any
    model: ModelFiles
    input: TensorSpec
    output: TensorSpec

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """See Session."""
        try:
            (output,) = self.session.run([self.output.name], {self.input.name: batch})
        except Exception as error:
            raise refusals.model_failed(self.model, error) from error
        answer: NDArray[np.float32] = output
        return answer


class OnnxRuntime:
    """See Runtime; opens a file as compression_serving does."""

    formats = frozenset({"ONNX", "ONNXQDQ"})
    version = f"{_NAME} {onnxruntime.__version__}"

    def open(self, model: ModelFiles, threads: int, *, checked: bool = False) -> OnnxSession:
        """See Runtime; ONNX may be float, ONNXQDQ must run on integers."""
        refusals.require_format(_NAME, self.formats, model)
        if not checked:
            _inspect(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        (path,) = model.paths
        optimized = path.with_suffix(".optimized.onnx")
        if not checked:
            options.optimized_model_filepath = str(optimized)
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise refusals.model_refused(_NAME, model, error) from error
        if not checked:
            _require_kernels(model, optimized)
        inputs, outputs = (_specs(tensors) for tensors in (session.get_inputs(), session.get_outputs()))
        return OnnxSession(session, model, *refusals.signature(model, inputs, outputs))


RUNTIME: Final = OnnxRuntime()


def _inspect(model: ModelFiles) -> None:
    from compression_jobs.runtimes import onnx_file  # noqa: PLC0415 - serving does without onnx, and its memory

    onnx_file.read(model.paths[0])


def _require_kernels(model: ModelFiles, optimized: Path) -> None:
    """A QDQ file whose pairs the runtime cannot fuse computes in float, slower than FP32 does."""
    from compression_jobs.runtimes import onnx_file  # noqa: PLC0415 - as above

    kernels = onnx_file.operators(onnx_file.read(optimized))
    optimized.unlink()
    if model.format == "ONNXQDQ" and not onnx_file.INTEGER_KERNELS & kernels.keys():
        raise refusals.not_quantised(_NAME, model)


def _specs(tensors: list[Any]) -> list[TensorSpec]:
    return [
        TensorSpec(name=t.name, datatype=_DATATYPES.get(t.type, t.type), shape=_shape(t)) for t in tensors
    ]


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) and size >= 0 else -1 for size in tensor.shape)
