"""Weights and biases of the deployed file, as integers.

Weights are unsigned with zero point 128, the same numbers as signed with zero point 0. ONNX Runtime
multiplies unsigned activations by signed weights with VPMADDUBSW where a processor has AVX2 or AVX-512 but
no VNNI, and its 16-bit sums saturate (onnxruntime.ai, "Quantize ONNX models", on U8S8 and U8U8). For
unsigned weights it chooses a kernel that is exact there; on processors with VNNI both kinds run on the same
instruction, which is exact. So the file answers alike on both, without an option that each of its users
would have to know.

Owns rounding. Must not know where scales come from.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.exporters.folding import output_axis
from compression_jobs.exporters.graph import Graph, attribute

ZERO_POINT: Final = 128
_LARGEST: Final = 127
_LARGEST_BIAS: Final = 2**31 - 1

Floats = NDArray[np.float32]


def quantise_weight(graph: Graph, node: Any, steps: Floats) -> None:
    """Replace a layer's constant weight by integers and their DequantizeLinear.

    Args:
        graph: it is changed.
        node: Conv, ConvTranspose, Gemm or MatMul.
        steps: one, or one for each output channel.
    """
    name, axis = node.input[1], output_axis(node)
    weight = graph.constants[name]
    shape = [1] * weight.ndim
    shape[axis] = -1
    signed = np.clip(np.rint(weight / steps.reshape(shape)), -_LARGEST, _LARGEST)
    numbers = graph.add_constant(f"{name}.quantized", (signed + ZERO_POINT).astype(np.uint8))
    scalar = steps.size == 1
    scale = graph.add_constant(f"{name}.scale", steps.reshape(()) if scalar else steps)
    zeros = np.full(() if scalar else steps.shape, ZERO_POINT, np.uint8)
    zero = graph.add_constant(f"{name}.zero_point", zeros)
    attributes = {} if scalar else {"axis": axis}
    node.input[1] = graph.add_node(
        "DequantizeLinear", [numbers, scale, zero], f"{name}.dequantized", **attributes
    )


def quantise_bias(graph: Graph, node: Any, input_step: float, steps: Floats) -> None:
    """Replace a layer's constant bias by 32-bit integers in units of what its products are counted in."""
    if len(node.input) < 3 or node.input[2] not in graph.constants:
        return
    name = node.input[2]
    bias = graph.constants[name].astype(np.float64)
    unit = (np.float32(input_step) * np.broadcast_to(steps, bias.shape)).astype(np.float32)
    numbers = np.clip(np.rint(bias / unit.astype(np.float64)), -_LARGEST_BIAS, _LARGEST_BIAS).astype(np.int32)
    stored = graph.add_constant(f"{name}.quantized", numbers)
    scale = graph.add_constant(f"{name}.scale", unit)
    node.input[2] = graph.add_node("DequantizeLinear", [stored, scale], f"{name}.dequantized", axis=0)


def wide_enough(graph: Graph, node: Any, input_step: float, steps: Floats) -> Floats:
    """Steps at which the bias fits into 32 bits too.

    A channel whose weights are all but zero has a tiny step; in units of it a bias may not fit. A wider step
    loses nothing there, as its weights are next to zero anyway.
    """
    if len(node.input) < 3 or node.input[2] not in graph.constants:
        return steps
    needed = np.abs(graph.constants[node.input[2]]).astype(np.float64) / (input_step * _LARGEST_BIAS * 0.5)
    if steps.size == 1:
        needed = needed.max(initial=0.0, keepdims=True)
    return np.maximum(steps, needed).astype(np.float32)


def quantise_tables(graph: Graph) -> list[str]:
    """Store tables that rows are looked up in (embeddings) as integers, with one step for a table.

    What is looked up are bytes, and only they are turned into floating point: a table of words is most of a
    small language model's bytes, and its rows need no calibration.

    Returns:
        The names of the tables.
    """
    found = []
    for node in graph.of_type("Gather"):
        name = node.input[0]
        table = graph.constants.get(name)
        if table is None or table.dtype != np.float32 or table.ndim != 2 or len(graph.consumers(name)) != 1:
            continue
        step = np.float32(max(float(np.abs(table).max(initial=0)) / _LARGEST, 1e-12))
        numbers = np.rint(table / step) + ZERO_POINT
        stored = graph.add_constant(f"{name}.quantized", numbers.astype(np.uint8))
        scale = graph.add_constant(f"{name}.scale", step.reshape(()))
        zero = graph.add_constant(f"{name}.zero_point", np.uint8(ZERO_POINT).reshape(()))
        axis = int(attribute(node, "axis", 0))
        graph.remove(node)
        rows = graph.add_node("Gather", [stored, node.input[1]], f"{name}.rows", axis=axis)
        graph.add_node("DequantizeLinear", [rows, scale, zero], node.output[0])
        found.append(name)
    return found


def unsigned_weights(graph: Graph) -> int:
    """Turn signed constant weights of a finished model into unsigned ones; returns how many."""
    changed = 0
    for node in graph.of_type("DequantizeLinear"):
        numbers = graph.constants.get(node.input[0])
        if numbers is None or numbers.dtype != np.int8:
            continue
        zero = graph.constants[node.input[2]] if len(node.input) > 2 else np.zeros((), np.int8)
        stored = graph.add_constant(f"{node.input[0]}.u8", _unsigned(numbers))
        zeros = np.broadcast_to(_unsigned(zero), graph.constants[node.input[1]].shape)
        node.input[:] = [stored, node.input[1], graph.add_constant(f"{node.input[0]}.u8_zero_point", zeros)]
        changed += 1
    return changed


def _unsigned(numbers: NDArray[Any]) -> NDArray[np.uint8]:
    return (numbers.astype(np.int16) + ZERO_POINT).astype(np.uint8)
