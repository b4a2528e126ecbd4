"""Constants folded into the layer before them: the same function, in fewer nodes."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from compression_jobs.exporters.float_graph import tidy
from compression_jobs.exporters.folding import fold_hard_sigmoid
from compression_jobs.exporters.graph import Graph
from support import onnx_networks as networks

RANDOM = np.random.default_rng(5)
INPUTS = RANDOM.normal(0, 1, (6, 3, 4, 4)).astype(np.float32)


def graph(*nodes, **constants):
    values = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 3, 4, 4]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
    ]
    values[1].type.tensor_type.shape.dim.add().dim_param = "n"
    for _ in range(3):
        values[1].type.tensor_type.shape.dim.add()
    weights = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    made = helper.make_graph(list(nodes), "folding", values[:1], values[1:], weights)
    return Graph(helper.make_model(made, opset_imports=[helper.make_opsetid("", 14)], ir_version=7))


def normal(*shape):
    return RANDOM.normal(0, 1, shape)


def transposed():
    """A transposed convolution, a bias as a sum, batch normalisation: what Paddle's converter writes."""
    return graph(
        helper.make_node("ConvTranspose", ["image", "w"], ["a"], strides=[2, 2]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["y"]),
        w=normal(3, 5, 2, 2),
        b=normal(1, 5, 1, 1),
        gamma=normal(5),
        beta=normal(5),
        mean=normal(5),
        variance=np.abs(normal(5)) + 0.1,
    )


def test_a_transposed_convolution_takes_bias_and_normalisation_along_its_second_axis():
    folded = transposed()
    before = networks.run(folded, INPUTS)
    weight = folded.constants["w"]
    factors = tidy(folded)
    assert [node.op_type for node in folded.to_model().graph.node] == ["ConvTranspose"]
    assert networks.run(folded, INPUTS) == pytest.approx(before, rel=1e-4, abs=1e-4)
    assert folded.constants["w"] == pytest.approx(weight * factors["w"].reshape(1, -1, 1, 1), rel=1e-5)


def test_a_hard_sigmoid_becomes_the_convolution_s_own_line():
    gate = graph(
        helper.make_node("Conv", ["image", "w", "b"], ["a"]),
        helper.make_node("HardSigmoid", ["a"], ["y"], alpha=1 / 6, beta=0.5),
        w=normal(4, 3, 1, 1),
        b=normal(4),
    )
    before = networks.run(gate, INPUTS)
    assert {0.0, 1.0} < set(np.unique(before))  # both ends are reached
    assert fold_hard_sigmoid(gate, gate.of_type("Conv")[0]) == pytest.approx(1 / 6)
    assert [node.op_type for node in gate.to_model().graph.node] == ["Conv", "Clip"]
    assert networks.run(gate, INPUTS) == pytest.approx(before, abs=1e-5)
