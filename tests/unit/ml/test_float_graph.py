"""Tidying a converted network changes its form, not its answers."""

import numpy as np
import pytest

from compression_jobs.exporters.float_graph import tidy
from compression_jobs.exporters.problems import ExportProblem
from support import onnx_networks as networks


@pytest.mark.parametrize("build", [networks.depthwise, networks.residual])
def test_a_tidied_network_answers_as_before(build):
    samples = networks.inputs(64)
    before = networks.run(build(), samples)
    graph = build()
    tidy(graph)
    assert networks.run(graph, samples) == pytest.approx(before, rel=1e-4, abs=1e-3 * float(before.std()))


def test_only_layers_that_compute_are_left():
    graph = networks.depthwise()
    tidy(graph)
    operators = [node.op_type for node in graph.to_model().graph.node]
    assert operators == [
        "Conv",
        "Relu",
        "Conv",
        "Relu",
        "Conv",
        "Relu",
        "GlobalAveragePool",
        "Flatten",
        "Gemm",
    ]


def test_ends_have_plain_names_and_any_batch():
    graph = networks.residual()
    tidy(graph)
    model = graph.to_model()
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["input", "logits"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert networks.run(graph, networks.inputs(1)).shape == (1, networks.CLASSES)


def test_the_factors_are_what_each_channel_was_multiplied_by():
    graph = networks.depthwise()
    before = graph.constants["deep.w"].copy()
    factors = tidy(graph)
    ratio = graph.constants["deep.w"] / before
    assert ratio == pytest.approx(
        np.broadcast_to(factors["deep.w"].reshape(-1, 1, 1, 1), ratio.shape), rel=1e-5
    )
    assert (factors["deep.w"] < 0).any()
    assert "fc.w" not in factors


def test_a_normalisation_whose_input_others_read_too_stays():
    graph = networks.depthwise()
    graph.add_node("Relu", ["stem.conv"], "other")
    assert "stem.w" not in tidy(graph)
    assert len(graph.of_type("BatchNormalization")) == 1


def test_a_network_with_two_inputs_is_refused():
    graph = networks.depthwise()
    graph.inputs.append(graph.inputs[0])
    with pytest.raises(ExportProblem, match="one input"):
        tidy(graph)
