"""Paddle Inference on the CPU: oneDNN in float, and on integers for a program with fake quantisation in it.

Owns opening a program in the mode it would be deployed in. Which mode that is follows from the program alone,
so that nobody can measure a quantised program in float, where some answer well that on integers do not. Must
not know metrics or data.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.served_model import TensorSpec
from compression_jobs.errors import InvalidData
from compression_jobs.framework import inference, paddle
from compression_jobs.runtimes import ModelFiles, refusals

_NAME: Final = "paddle-inference"
MAX_PROGRAM_BYTES: Final = 64 * 1024 * 1024

FAKE_QUANTISERS: Final = frozenset({"quantize_linear", "dequantize_linear"})
"""What PaddleSlim writes with onnx_format; its older operators hold weights that oneDNN misreads."""
OLD_QUANTISERS: Final = re.compile(r"^(fake_(channel_wise_)?(quantize|dequantize)_|moving_average_abs_max)")
REACHING_OUT: Final = re.compile(
    r"^(py_func|py_layer|run_program|load(_combine)?|save(_combine)?|read|create_.*reader|listen_and_serv|"
    r"send(_.*)?|recv(_.*)?|c_.*|barrier|distributed_.*)$"
)
"""Operators that read files, run code or talk to others: a model file must not make the evaluator do that."""
ON_INTEGERS: Final = frozenset(
    {"conv2d", "fused_conv2d", "depthwise_conv2d", "elementwise_add", "fused_elementwise_add"}
)
"""Paddle 2.6's operators that answer on integers as their scales say.

Fully connected layers do not: those with a scale for each output take the first one's for all. Pooling fails
where the pooled tensor has a signed grid.
"""
_REPORTED: Final = re.compile(
    r"quantized\s+(\d+)\s+(fused_conv2d|conv2d|fc|matmul|fusion_\w+|multi_gru)\s+ops\b"
)


@dataclass(frozen=True, slots=True)
class PaddleSession:
    """An opened program."""

    predictor: Any
    model: ModelFiles
    input: TensorSpec
    output: TensorSpec

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """See Session."""
        try:
            handle = self.predictor.get_input_handle(self.input.name)
            handle.reshape(batch.shape)
            handle.copy_from_cpu(np.ascontiguousarray(batch))
            self.predictor.run()
            answer: NDArray[np.float32] = self.predictor.get_output_handle(self.output.name).copy_to_cpu()
        except Exception as error:
            raise refusals.model_failed(self.model, error) from error
        return answer


class PaddleInference:
    """See Runtime."""

    formats = frozenset({"PaddleInference"})
    version = f"{_NAME} {paddle.__version__}"

    def open(self, model: ModelFiles, threads: int, *, checked: bool = False) -> PaddleSession:  # noqa: ARG002
        """See Runtime; a program with fake quantisation must run on integers."""
        refusals.require_format(_NAME, self.formats, model)
        program, weights = model.paths
        description = _describe(model)
        quantised = _is_quantised(model, _operators(description))
        config = inference.Config(str(program), str(weights))
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(threads)
        config.enable_mkldnn()
        config.enable_memory_optim()
        if quantised:
            config.enable_mkldnn_int8(set(ON_INTEGERS))
        with _standard_error() as said:
            try:
                predictor = inference.create_predictor(config)
            except Exception as error:
                raise refusals.model_refused(_NAME, model, error) from error
        if quantised and not _quantised_layers(said):
            raise refusals.not_quantised(_NAME, model)
        tensors = {variable.name(): variable for variable in description.block(0).all_vars()}
        inputs, outputs = (
            [_spec(tensors.get(name), name) for name in names]
            for names in (predictor.get_input_names(), predictor.get_output_names())
        )
        return PaddleSession(predictor, model, *refusals.signature(model, inputs, outputs))


RUNTIME: Final = PaddleInference()


def _describe(model: ModelFiles) -> Any:
    """The program, read without running it: the predictor ends the process over what is none.

    Raises:
        InvalidData: ModelTooLarge, ModelUnreadable.
    """
    path = model.paths[0]
    if path.stat().st_size > MAX_PROGRAM_BYTES:
        raise InvalidData("ModelTooLarge", f"{path.name} is larger than {MAX_PROGRAM_BYTES} bytes.")
    try:
        description = paddle.base.core.ProgramDesc(path.read_bytes())
    except Exception as error:
        raise InvalidData(
            "ModelUnreadable", f"{path.name} is no Paddle program ({refusals.one_line(error)})."
        ) from error
    if description.num_blocks() == 0 or description.block(0).op_size() == 0:
        raise InvalidData("ModelUnreadable", f"{path.name} is no Paddle program: it has no operators.")
    return description


def _operators(description: Any) -> Counter[str]:
    blocks = (description.block(number) for number in range(description.num_blocks()))
    return Counter(block.op(place).type() for block in blocks for place in range(block.op_size()))


def _is_quantised(model: ModelFiles, operators: Counter[str]) -> bool:
    """Raises InvalidData: ExternalData, NotQuantised."""
    if reaching := sorted(name for name in operators if REACHING_OUT.match(name)):
        raise InvalidData(
            "ExternalData",
            f"{model.name} has the operator {reaching[0]!r}, which reaches out of the model; "
            "export it without.",
        )
    if old := sorted(name for name in operators if OLD_QUANTISERS.match(name)):
        raise InvalidData(
            "NotQuantised",
            f"{model.name} has the operator {old[0]!r}, whose weights oneDNN misreads on integers; "
            "export it with onnx_format=True.",
        )
    return bool(FAKE_QUANTISERS & operators.keys())


def _quantised_layers(said: list[str]) -> int:
    """How many layers Paddle reports to have put on integer kernels; it tells nowhere else."""
    return sum(int(number) for number, _ in _REPORTED.findall("".join(said)))


def _spec(variable: Any, name: str) -> TensorSpec:
    if variable is None:
        return TensorSpec(name=name, datatype="unknown", shape=())
    kinds = {paddle.float32: "FP32", paddle.int64: "INT64"}
    shape = tuple(size if size >= 0 else -1 for size in variable.shape())
    return TensorSpec(name=name, datatype=kinds.get(variable.dtype(), str(variable.dtype())), shape=shape)


@contextmanager
def _standard_error() -> Iterator[list[str]]:
    """Catch what the library's native half writes to the process's standard error; it is there at the end."""
    said: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            said.append(caught.read().decode(errors="replace"))
