"""What an ONNX file holds, read without running it.

Owns the refusal of external data (a path in a model file must not make us read another file) and the counts
that tell an INT8 graph from a float one. Must not open a runtime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import onnx

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
