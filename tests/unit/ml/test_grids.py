"""Which grid a tensor gets: where it begins, where it ends, what may be left out before it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from compression_jobs.exporters import grids
from compression_jobs.exporters.activations import Activations
from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.grids import Grid
from compression_jobs.exporters.scales import LayerScales

STEP = 0.05


def chain(*operators):
    """A graph of one operator after the other: x, t0, t1, …"""
    nodes, source, constants = [], "x", {"six": np.float32(6), "zero": np.float32(0)}
    for place, operator in enumerate(operators):
        more = ["zero", "six"] if operator == "Clip" else []
        nodes.append(helper.make_node(operator, [source, *more], [f"t{place}"]))
        source = f"t{place}"
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 4]) for name in ("x", source)]
    made = Graph(
        helper.make_model(
            helper.make_graph(nodes, "chain", values[:1], values[1:]),
            opset_imports=[helper.make_opsetid("", 14)],
        )
    )
    made.constants.update(constants)
    return made, source


def layer(zero_point=None, step=STEP):
    return LayerScales(
        layer="l",
        weight="w",
        input_step=step,
        input_zero_point=zero_point,
        weight_steps=(1,),
        measured="Deployed",
    )


@given(low=st.floats(-1e3, 1e3), high=st.floats(-1e3, 1e3))
def test_a_measured_grid_holds_zero_exactly_and_the_range_but_for_a_step(low, high):
    low, high = min(low, high), max(low, high)
    grid = Grid.spanning(low, high)
    assert 0 <= grid.zero_point <= 255
    assert grid.low <= 0 <= grid.high
    assert grid.low <= low + grid.step
    assert grid.high >= high - grid.step


TABLE = [
    # operators before, zero point that was learned, reached on data → step, zero point
    (["Tanh"], None, 99, STEP, 128),
    (["Tanh"], 37, 99, STEP, 37),
    (["Relu"], None, 127 * STEP, STEP, 0),
    (["Relu", "MaxPool"], None, 127 * STEP, STEP, 0),
    (["Relu"], None, 127 * STEP * 1.2, 127 * STEP / 255, 0),
    (["Relu"], 0, 99, STEP, 0),
    (["Relu"], 3, 99, STEP, 0),
    (["Relu"], 128, 99, 127 * STEP / 255, 0),
    (["Clip"], None, 6, 6 / 255, 0),
    (["Sigmoid"], None, 1, STEP, 0),
]


@pytest.mark.parametrize(("operators", "zero_point", "reached", "step", "expected"), TABLE)
def test_a_learned_grid_keeps_its_step_or_its_end(operators, zero_point, reached, step, expected):
    graph, tensor = chain(*operators)
    found = grids.learned(graph, layer(zero_point), tensor, reached)
    assert (found.step, found.zero_point) == (pytest.approx(step), expected)


def test_what_a_hard_swish_makes_nothing_of_gets_no_values():
    graph, _ = chain("Tanh", "HardSwish")
    found = grids.measured(graph, "t0", -8.0, 5.0)
    assert found.low == pytest.approx(-3, abs=found.step)
    assert found.high == pytest.approx(5, abs=found.step)


@pytest.mark.parametrize(
    ("operator", "grid", "left"),
    [
        ("Relu", Grid(STEP, 0), 0),
        ("Relu", Grid(STEP, 3), 1),
        ("Clip", Grid(6 / 255, 0), 0),
        ("Clip", Grid(STEP, 0), 1),
        ("Clip", Grid(5 / 255, 0), 0),
    ],
)
def test_only_a_cut_off_that_the_grid_repeats_is_left_out(operator, grid, left):
    graph, _ = chain("Tanh", operator, "Tanh")
    activations = Activations(graph)
    activations.feed(graph.consumers("t1"), "t1", grid)
    activations.drop_cut_offs()
    assert len(graph.of_type(operator)) == left


def test_two_grids_for_one_tensor_stand_one_behind_the_other_the_wider_first():
    graph, _ = chain("Relu", "Tanh")
    other = graph.add_node("Tanh", ["t0"], "other")
    activations = Activations(graph)
    activations.feed([graph.producer("t1")], "t0", Grid(STEP, 0))
    activations.feed([graph.producer(other)], "t0", Grid(2 * STEP, 0))
    activations.chain()
    (first,) = graph.consumers("t0")
    assert graph.constants[first.input[1]] == pytest.approx(2 * STEP)
    assert len(graph.of_type("QuantizeLinear")) == 2
