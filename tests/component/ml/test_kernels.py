"""ONNX Runtime's integer kernels on this processor: exact at the far ends of 8 bits.

On processors with AVX2 and without VNNI its kernel for unsigned times signed bytes adds pairs of products in
16 bits, which saturate. Deployed weights are unsigned for that reason.
"""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

CHANNELS, OUTPUTS, SAMPLES = 64, 16, 8
INPUT_STEP, WEIGHT_STEP = 0.05, 0.02


def layer(kind: str, weight_type: type, numbers: np.ndarray) -> bytes:
    """A layer on bytes: numbers -127..127 as weights, stored signed or unsigned around 128."""
    zero = 0 if weight_type is np.int8 else 128
    shape = {"Conv": (OUTPUTS, CHANNELS, 1, 1), "Gemm": (CHANNELS, OUTPUTS)}[kind]
    stored = (numbers + zero).astype(weight_type)
    stored = stored.reshape(shape) if kind == "Conv" else np.ascontiguousarray(stored.T)
    constants = {
        "step": np.float32(INPUT_STEP),
        "zero": np.uint8(0),
        "w": stored,
        "w_step": np.full(OUTPUTS, WEIGHT_STEP, np.float32),
        "w_zero": np.full(OUTPUTS, zero, weight_type),
        "out_step": np.float32(INPUT_STEP * WEIGHT_STEP * 40_000),
        "out_zero": np.uint8(128),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "step", "zero"], ["xd"]),
        helper.make_node(
            "DequantizeLinear", ["w", "w_step", "w_zero"], ["wd"], axis=0 if kind == "Conv" else 1
        ),
        helper.make_node(kind, ["xd", "wd"], ["y"]),
        helper.make_node("QuantizeLinear", ["y", "out_step", "out_zero"], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", "out_step", "out_zero"], ["z"]),
    ]
    sizes = {
        "Conv": ([None, CHANNELS, 1, 1], [None, OUTPUTS, 1, 1]),
        "Gemm": ([None, CHANNELS], [None, OUTPUTS]),
    }
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
        for name, size in zip("xz", sizes[kind], strict=True)
    ]
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "layer", values[:1], values[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    return model.SerializeToString()


def extremes() -> tuple[np.ndarray, np.ndarray]:
    """Inputs 0..255 and weights -127..127, most of them at the ends, so that pairs of products are large."""
    random = np.random.default_rng(0)
    inputs = random.choice([0, 127, 255, 255, 255], (SAMPLES, CHANNELS))
    weights = random.choice([-127, 127, 127, 60], (OUTPUTS, CHANNELS))
    return inputs, weights


def answer(kind: str, weight_type: type) -> tuple[np.ndarray, np.ndarray]:
    """What the runtime gives, and what arithmetic on integers gives, both in steps of the output's grid."""
    inputs, weights = extremes()
    session = onnxruntime.InferenceSession(
        layer(kind, weight_type, weights), providers=["CPUExecutionProvider"]
    )
    shape = (SAMPLES, CHANNELS, 1, 1) if kind == "Conv" else (SAMPLES, CHANNELS)
    (found,) = session.run(None, {"x": (inputs * np.float32(INPUT_STEP)).astype(np.float32).reshape(shape)})
    unit = INPUT_STEP * WEIGHT_STEP * 40_000
    expected = np.clip(np.rint(inputs @ weights.T / 40_000), -128, 127)
    return found.reshape(SAMPLES, OUTPUTS) / unit, expected


@pytest.mark.parametrize("kind", ["Conv", "Gemm"])
def test_unsigned_weights_are_multiplied_exactly(kind):
    found, expected = answer(kind, np.uint8)
    assert np.abs(expected).max() > 20  # the example would show a saturated sum
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.skipif(
    not {"avx2"} <= set(Path("/proc/cpuinfo").read_text().split())
    or bool({"avx_vnni", "avx512_vnni"} & set(Path("/proc/cpuinfo").read_text().split())),
    reason="only processors with AVX2 and without VNNI saturate",
)
def test_signed_weights_saturate_here_which_is_why_they_are_not_used():
    found, expected = answer("Conv", np.int8)
    assert np.abs(found - expected).max() > 5
