"""OpenVINO's CPU plugin.

Owns opening an ONNX file in the mode it would be deployed in: one stream, float layers in float32 even where
the processor could do with less, quantised layers on integers. Must not know metrics or data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import openvino
from numpy.typing import NDArray

from compression_contract.served_model import TensorSpec
from compression_jobs.runtimes import ModelFiles, refusals

_NAME: Final = "openvino"
_DATATYPES: Final = {"f32": "FP32", "i64": "INT64"}
_MULTIPLYING: Final = frozenset({"Convolution", "Deconvolution", "FullyConnected", "MatMul"})
"""The CPU plugin's layers that are worth running on integers, by their names in its execution graph."""


@dataclass(frozen=True, slots=True)
class OpenVINOSession:
    """A compiled model with the one request that its calls take turns in."""

    request: Any
    model: ModelFiles
    input: TensorSpec
    output: TensorSpec

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """See Session."""
        try:
            # Not copied on the way in, but on the way out: the next call writes into the same memory.
            found = self.request.infer({0: batch}, share_inputs=True)
            answer: NDArray[np.float32] = np.array(found[0])
        except Exception as error:
            raise refusals.model_failed(self.model, error) from error
        return answer


class OpenVINO:
    """See Runtime."""

    formats = frozenset({"ONNX", "ONNXQDQ"})
    version = f"{_NAME} {openvino.get_version().split('-')[0]}"

    def open(self, model: ModelFiles, threads: int, *, checked: bool = False) -> OpenVINOSession:
        """See Runtime; ONNX may be float, ONNXQDQ must run on integers."""
        refusals.require_format(_NAME, self.formats, model)
        (path,) = model.paths
        signed = path.with_suffix(".signed.onnx")
        if not checked:
            _sign(path, signed)
        source = signed if signed.exists() else path
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
        core = openvino.Core()
        try:
            compiled = core.compile_model(core.read_model(source), "CPU", settings)
        except Exception as error:
            raise refusals.model_refused(_NAME, model, error) from error
        if not checked and model.format == "ONNXQDQ" and not _multiplies_integers(compiled):
            raise refusals.not_quantised(_NAME, model)
        inputs, outputs = (_specs(ports) for ports in (compiled.inputs, compiled.outputs))
        signature = refusals.signature(model, inputs, outputs)
        return OpenVINOSession(compiled.create_infer_request(), model, *signature)


RUNTIME: Final = OpenVINO()


def _sign(path: Path, signed: Path) -> None:
    """Write the file that is opened in a model's place; it stays, for other processes."""
    from compression_jobs.runtimes import onnx_file  # noqa: PLC0415 - running a model needs no onnx, nor its memory

    graph = onnx_file.read(path)
    if onnx_file.sign_weights(graph):
        signed.write_bytes(graph.SerializeToString())


def _multiplies_integers(compiled: Any) -> bool:
    """Whether any layer was given an integer kernel; an input in integers alone does not make one."""
    found = (node.get_rt_info() for node in compiled.get_runtime_model().get_ops())
    return any(
        info["layerType"].astype(str) in _MULTIPLYING
        and info["primitiveType"].astype(str).upper().endswith("_I8")
        for info in found
    )


def _specs(ports: list[Any]) -> list[TensorSpec]:
    return [
        TensorSpec(
            name=port.get_any_name() if port.get_names() else "",
            datatype=_DATATYPES.get(port.element_type.get_type_name(), port.element_type.get_type_name()),
            shape=tuple(size.get_length() if size.is_static else -1 for size in port.partial_shape),
        )
        for port in ports
    ]
