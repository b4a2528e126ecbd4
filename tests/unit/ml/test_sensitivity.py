"""What one layer's quantisation costs, on a graph of two layers whose answer can be worked out."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.scales import LayerScales
from compression_jobs.quantizers.sensitivity import Judge, analyse, sqnr, with_one_layer

INPUTS = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
WEIGHTS = {
    name: np.random.default_rng(seed).normal(size=(8, 8)).astype(np.float32)
    for seed, name in ((1, "a"), (2, "b"))
}
LABELS = (INPUTS @ WEIGHTS["a"] @ WEIGHTS["b"]).argmax(1)


def model():
    nodes = [
        helper.make_node("MatMul", ["input", "a"], ["h"]),
        helper.make_node("MatMul", ["h", "b"], ["logits"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 8]) for name in ("input", "logits")
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in WEIGHTS.items()]
    graph = helper.make_graph(nodes, "two", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def grids(weight, bits=8.0, channels=8):
    reach = {"a": INPUTS, "b": INPUTS @ WEIGHTS["a"]}[weight]
    steps = np.abs(WEIGHTS[weight]).max(0) / (2 ** (bits - 1) - 1)
    return LayerScales(
        layer=f"layer.{weight}",
        weight=weight,
        input_step=float(np.abs(reach).max() / 127),
        weight_steps=tuple(float(step) for step in steps[:channels]),
        measured="Deployed",
    )


def judge():
    return Judge(
        "top1",
        lambda y: float((y.argmax(1) == LABELS).mean()),
        lambda one, other: one.argmax(1) == other.argmax(1),
    )


def test_one_layer_alone_is_on_its_grids():
    graph = with_one_layer(Graph(model()), grids("b"))
    assert np.array_equal(graph.constants["a"], WEIGHTS["a"])
    steps = np.asarray(grids("b").weight_steps, np.float32)
    numbers = graph.constants["b"] / steps
    assert np.abs(numbers - np.rint(numbers)).max() < 1e-3
    assert np.abs(graph.constants["b"] - WEIGHTS["b"]).max() <= steps.max() / 2 * 1.001
    (pair,) = graph.of_type("QuantizeLinear")
    assert pair.input[0] == "h"


def test_the_coarser_layer_comes_first_and_is_what_to_skip(tmp_path):
    Graph(model()).save(tmp_path / "float.onnx")
    coarse = grids("a").model_copy(update={"weight_steps": tuple(np.abs(WEIGHTS["a"]).max(0).tolist())})
    found = analyse(tmp_path / "float.onnx", [grids("b"), coarse], INPUTS, judge())
    assert [cost.layer for cost in found.layers] == ["layer.a", "layer.b"]
    assert found.float_value == 1.0
    assert found.layers[0].sqnr < 15
    assert found.layers[1].sqnr > 30
    assert found.layers[0].drop == pytest.approx(1 - found.layers[0].agreement)
    assert found.skip_layers == ("layer.a",)
    stored = json.loads(found.to_json())
    assert list(stored["layers"][0]) == ["layer", "drop", "sqnr", "agreement"]


def test_a_metric_that_gets_worse_upwards_is_asked_for_with_its_sign_turned(tmp_path):
    Graph(model()).save(tmp_path / "float.onnx")
    coarse = grids("a").model_copy(update={"weight_steps": tuple(np.abs(WEIGHTS["a"]).max(0).tolist())})
    error = Judge("CER", lambda y: -float((y.argmax(1) != LABELS).mean()), judge().same)
    assert analyse(tmp_path / "float.onnx", [coarse], INPUTS, error).layers[0].drop > 0


def test_sqnr_in_decibels():
    signal = np.full((10, 1), 2.0, np.float32)
    assert sqnr(signal, signal + 0.2) == pytest.approx(20.0, abs=1e-4)
    assert sqnr(signal, signal) == 200.0


def test_a_layer_that_the_graph_does_not_have_is_an_error():
    with pytest.raises(ValueError, match="no layer"):
        with_one_layer(Graph(model()), grids("a").model_copy(update={"weight": "gone"}))
