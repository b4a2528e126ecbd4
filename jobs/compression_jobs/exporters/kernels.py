"""Which layers of a deployed file ONNX Runtime computes in integers, and how many bytes stay floats.

A quantised layer whose pairs the runtime cannot join to a kernel is computed in floating point, from rounded
weights: the accuracy of 8 bits at the speed of 32. Owns finding those, in the graph that the runtime itself
has optimised. Must not decide what they mean.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from compression_jobs.exporters.graph import Graph

_QUIET: Final = 3
FLOAT_LAYERS: Final = ("Conv", "ConvTranspose", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")
RECURRENT: Final = ("LSTM", "GRU", "RNN")


@dataclass(frozen=True, slots=True)
class Executed:
    """How a file is computed."""

    in_floats: tuple[str, ...]
    """Float weights of quantised layers that no integer kernel reads."""
    float_layers: int
    """Layers of whatever kind that compute in floating point, products of two activations among them."""
    integer_bytes: int
    """Of the constants stored as bytes."""
    float_bytes: int
    """Of the constants stored as floats: weights of recurrent layers, and scales."""


def executed(path: Path, weights: Mapping[str, str]) -> Executed:
    """Ask the runtime.

    Args:
        path: the deployed file.
        weights: the names of stored integers, by the name of the float weight.
    """
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = _QUIET
        options.optimized_model_filepath = str(optimised)
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        graph = Graph.load(optimised)
    kernels = {tensor for node in graph.nodes if node.op_type != "DequantizeLinear" for tensor in node.input}
    stored = Graph.load(path).constants.values()
    return Executed(
        in_floats=tuple(name for name, integers in weights.items() if integers not in kernels),
        float_layers=len(graph.of_type(*FLOAT_LAYERS, *RECURRENT)),
        integer_bytes=sum(value.nbytes for value in stored if value.dtype == np.uint8),
        float_bytes=sum(value.nbytes for value in stored if value.dtype == np.float32),
    )
