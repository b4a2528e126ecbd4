"""Learned grids put into a float network: same answers as the arithmetic says, integer kernels, no loss."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from compression_jobs.exporters.float_graph import tidy
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.int8_graph import quantise
from compression_jobs.exporters.problems import ExportProblem
from compression_jobs.exporters.scales import LayerScales
from compression_jobs.exporters.weights import ZERO_POINT, unsigned_weights
from support import onnx_networks as networks

BUILDERS = [networks.depthwise, networks.residual]


def quantised(build, change=lambda layers: layers):
    """A float graph and its INT8 form."""
    plain, graph = build(), build()
    tidy(plain)
    factors = tidy(graph)
    layers = change(networks.learned(plain, networks.inputs()))
    done = quantise(graph, layers, factors, networks.inputs())
    return plain, graph, done


@pytest.mark.parametrize("build", BUILDERS)
def test_the_int8_network_decides_as_the_float_one(build):
    plain, graph, done = quantised(build)
    samples = networks.inputs(1000, seed=3)
    expected, found = networks.run(plain, samples), networks.run(graph, samples)
    assert len(done.weights) == len(plain.of_type("Conv", "Gemm"))
    assert (expected.argmax(1) == found.argmax(1)).mean() >= 0.97
    assert np.abs(expected - found).mean() < 0.05 * expected.std()


@pytest.mark.parametrize("build", BUILDERS)
def test_the_runtime_s_kernels_give_what_the_definition_says(build):
    _, graph, _ = quantised(build)
    samples = networks.inputs(500, seed=4)
    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    by_definition = networks.run(graph, samples, graph_optimization_level=level)
    assert (networks.run(graph, samples).argmax(1) == by_definition.argmax(1)).mean() >= 0.99


@pytest.mark.parametrize(("build", "sums"), [(networks.depthwise, 0), (networks.residual, 2)])
def test_every_layer_runs_on_integers(build, sums, tmp_path: Path):
    plain, graph, _ = quantised(build)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    model = graph.to_model().SerializeToString()
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(str(tmp_path / "optimised.onnx")).graph.node]
    assert operators.count("QLinearConv") == len(plain.of_type("Conv"))
    assert operators.count("QLinearAdd") == sums
    assert "QLinearGlobalAveragePool" in operators
    assert "QGemm" in operators
    assert not {"Conv", "Relu", "Add", "Gemm", "GlobalAveragePool"} & set(operators)


@pytest.mark.parametrize("build", BUILDERS)
def test_weights_are_stored_as_unsigned_bytes_around_128(build):
    plain, graph, _ = quantised(build)
    model = Graph(graph.to_model())
    for node in model.of_type("Conv", "Gemm"):
        source = model.producer(node.input[1])
        numbers, scale, zero = (model.constants[name] for name in source.input)
        assert numbers.dtype == np.uint8
        assert (zero == ZERO_POINT).all()
        assert numbers.min() >= 1  # -127 to 127, as learned
        original = plain.constants[node.input[1].removesuffix(".dequantized")]
        shape = [-1 if axis == (0 if node.op_type == "Conv" else 1) else 1 for axis in range(numbers.ndim)]
        back = (numbers.astype(np.float32) - ZERO_POINT) * scale.reshape(shape)
        assert np.abs(back - original).max() <= 0.501 * scale.max()


def test_scales_learned_before_normalisation_are_carried_through_it():
    """One step for the trained weight, times its channel's factor, is the step of the deployed weight."""
    build = networks.depthwise
    trained = {name: build().constants[name] for name in ("stem.w", "deep.w", "point.w")}

    def before(layers):
        return [
            layer.model_copy(
                update={
                    "weight_steps": tuple(np.abs(trained[layer.weight]).max(axis=(1, 2, 3)) / 127),
                    "measured": "BeforeNormalisation",
                }
            )
            if layer.weight in trained
            else layer
            for layer in layers
        ]

    _, deployed, _ = quantised(build)
    _, carried, _ = quantised(build, before)
    samples = networks.inputs(200, seed=5)
    assert networks.run(carried, samples) == pytest.approx(networks.run(deployed, samples), abs=0.05)
    for name in trained:
        difference = (
            carried.constants[f"{name}.quantized"].astype(int) - deployed.constants[f"{name}.quantized"]
        )
        assert np.abs(difference).max() <= 1


def test_a_layer_without_grids_stays_in_floating_point():
    plain, graph, done = quantised(networks.depthwise, lambda layers: layers[1:])
    assert len(done.weights) == len(plain.of_type("Conv", "Gemm")) - 1
    stem = next(node for node in graph.of_type("Conv") if node.input[1] == "stem.w")
    assert stem.input[0] == "input"
    samples = networks.inputs(300, seed=6)
    assert (networks.run(plain, samples).argmax(1) == networks.run(graph, samples).argmax(1)).mean() >= 0.97


def test_grids_of_no_layer_are_refused():
    stray = LayerScales(layer="x", weight="x.w", input_step=1, weight_steps=(1,), measured="Deployed")
    with pytest.raises(ExportProblem, match=r"x\.w"):
        quantised(networks.depthwise, lambda layers: [*layers, stray])


def test_a_dead_channel_keeps_its_bias():
    """Weights of next to nothing have a step of next to nothing, in which a bias would not fit 32 bits."""

    def dead():
        graph = networks.depthwise()
        graph.constants["deep.w"] = graph.constants["deep.w"].copy()
        graph.constants["deep.w"][3] = 1e-12
        return graph

    plain, graph, _ = quantised(dead)
    samples = networks.inputs(200, seed=7)
    expected, found = networks.run(plain, samples), networks.run(graph, samples)
    assert np.abs(expected - found).mean() < 0.05 * expected.std()


def test_one_step_for_a_whole_weight_is_enough():
    def whole(layers):
        return [layer.model_copy(update={"weight_steps": (max(layer.weight_steps),)}) for layer in layers]

    _, graph, _ = quantised(networks.depthwise, whole)
    model = graph.to_model()
    assert next(tensor for tensor in model.graph.initializer if tensor.name == "deep.w.scale").dims == []
    assert networks.run(graph, networks.inputs(4)).shape == (4, networks.CLASSES)


def test_signed_weights_become_unsigned_ones_of_the_same_value():
    _, graph, _ = quantised(networks.residual)
    samples = networks.inputs(100, seed=8)
    expected = networks.run(graph, samples)
    for node in graph.of_type("DequantizeLinear"):
        numbers = graph.constants.get(node.input[0])
        if numbers is not None and numbers.dtype == np.uint8:
            signed = graph.add_constant("signed", (numbers.astype(int) - ZERO_POINT).astype(np.int8))
            node.input[:] = [signed, node.input[1]]
            if graph.constants[node.input[1]].ndim:
                zeros = np.zeros(graph.constants[node.input[1]].shape, np.int8)
                node.input.append(graph.add_constant("zeros", zeros))
    assert unsigned_weights(graph) == len(graph.of_type("Conv", "Gemm"))
    assert np.array_equal(networks.run(graph, samples), expected)
