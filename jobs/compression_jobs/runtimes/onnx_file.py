"""What an ONNX file holds, read without running it.

Owns the refusal of external data (a path in a model file must not make us read another file) and the counts
that tell an INT8 graph from a float one. Must not open a runtime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import numpy_helper

from compression_jobs.errors import InvalidData

MAX_MODEL_BYTES: Final = 2 * 1024**3
"""What one protobuf message can hold; larger models need external data, which is refused."""

INTEGER_KERNELS: Final = frozenset(
    {"ConvInteger", "DynamicQuantizeMatMul", "MatMulInteger", "MatMulIntegerToFloat", "QGemm", "QLinearConv"}
    | {"QLinearMatMul", "QAttention", "DynamicQuantizeLSTM"}
)
"""ONNX Runtime's operators that multiply integers (docs/ContribOperators.md and the ONNX standard's own)."""


def read(path: Path) -> Any:
    """Parse a model file.

    Raises:
        InvalidData: ModelTooLarge, ModelUnreadable, ExternalData.
    """
    if path.stat().st_size > MAX_MODEL_BYTES:
        raise InvalidData("ModelTooLarge", f"{path.name} is larger than {MAX_MODEL_BYTES} bytes.")
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own, and ValueError
        raise InvalidData("ModelUnreadable", f"{path.name} is no ONNX model ({error}).") from error
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise InvalidData(
                "ExternalData",
                f"{path.name} keeps tensor {tensor.name!r} in another file; export the model as one file.",
            )
    return model


def operators(model: Any) -> Counter[str]:
    """How often each operator occurs, subgraphs and functions included."""
    return Counter(node.op_type for node in _nodes(model))


def _nodes(model: Any) -> Iterator[Any]:
    waiting = [model.graph, *model.functions]
    while waiting:
        for node in waiting.pop().node:
            yield node
            waiting.extend(_subgraphs(node))


def _subgraphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _tensors(model: Any) -> Iterator[Any]:
    graphs = [model.graph, *(graph for node in _nodes(model) for graph in _subgraphs(node))]
    for graph in graphs:
        yield from graph.initializer
    attributes = [attribute for node in _nodes(model) for attribute in node.attribute]
    for attribute in attributes:
        yield from (attribute.t, *attribute.tensors)
    sparse = [tensor for graph in graphs for tensor in graph.sparse_initializer]
    sparse += [tensor for each in attributes for tensor in (each.sparse_tensor, *each.sparse_tensors)]
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)


def sign_weights(model: Any) -> int:
    """Store unsigned 8-bit weights around 128 as signed ones around 0, in place: the same numbers.

    Deployed weights are unsigned, as ONNX Runtime's kernels for signed ones saturate on AVX2. OpenVINO has
    integer kernels for signed weights only, and would compute in float with others without a word.

    Returns:
        How many weights were changed.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in set(node.input) & constants.keys():
            readers.setdefault(name, []).append(node)
    changed = [name for name, nodes in readers.items() if _around_128(name, nodes, constants)]
    for name in changed:
        numbers = numpy_helper.to_array(constants[name])
        constants[name].CopyFrom(
            numpy_helper.from_array((numbers.astype(np.int16) - 128).astype(np.int8), name)
        )
        # Other tensors may share the zero point: the weight gets one of its own.
        for node in readers[name]:
            zeros = np.zeros_like(numpy_helper.to_array(constants[node.input[2]]), np.int8)
            own = numpy_helper.from_array(zeros, f"{node.output[0]}.signed_zero")
            model.graph.initializer.append(own)
            node.input[2] = own.name
    return len(changed)


def _around_128(name: str, readers: list[Any], constants: dict[str, Any]) -> bool:
    """Whether a constant is nothing but weights in unsigned bytes whose zero point is 128."""
    if constants[name].data_type != onnx.TensorProto.UINT8:
        return False
    for node in readers:
        weight, _, zero = (*node.input, "", "")[:3]
        if node.op_type != "DequantizeLinear" or weight != name or zero not in constants:
            return False
        middle = numpy_helper.to_array(constants[zero])
        if middle.dtype != np.uint8 or not (middle == 128).all():
            return False
    return True
