"""Editing ONNX graphs: names, order, and what is written."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compression_jobs.exporters.graph import Graph


def chain(*operators):
    """A graph x -> operators -> y, with the nodes in the wrong order."""
    names = ["x", *(f"t{place}" for place in range(1, len(operators))), "y"]
    nodes = [
        helper.make_node(operator, [names[place]], [names[place + 1]], name=f"n{place}")
        for place, operator in enumerate(operators)
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    return helper.make_model(
        helper.make_graph(nodes[::-1], "chain", values[:1], values[1:]),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=7,
    )


def test_nodes_are_written_in_an_order_that_can_be_run():
    model = Graph(chain("Relu", "Neg", "Abs")).to_model()
    assert [node.op_type for node in model.graph.node] == ["Relu", "Neg", "Abs"]


def test_what_nobody_reads_is_left_out():
    graph = Graph(chain("Relu", "Neg"))
    graph.add_node("Abs", ["x"], "unused")
    graph.add_constant("alone", np.zeros(3, np.float32))
    model = graph.to_model()
    assert [node.op_type for node in model.graph.node] == ["Relu", "Neg"]
    assert not model.graph.initializer


def test_constants_of_nodes_become_initializers():
    model = chain("Relu")
    value = numpy_helper.from_array(np.array([2.0], np.float32))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["two"], value=value))
    model.graph.node[1].op_type = "Mul"
    model.graph.node[1].input.append("two")
    written = Graph(model).to_model()
    assert [tensor.name for tensor in written.graph.initializer] == ["two"]
    assert [node.op_type for node in written.graph.node] == ["Mul"]


def test_a_bypassed_node_leaves_the_names_of_outputs():
    graph = Graph(chain("Relu", "Neg"))
    (last,) = graph.of_type("Neg")
    graph.bypass(last, last.input[0])
    model = graph.to_model()
    assert [node.op_type for node in model.graph.node] == ["Relu"]
    assert [output.name for output in model.graph.output] == ["y"]


def test_names_are_made_unique():
    graph = Graph(chain("Relu", "Neg"))
    assert graph.add_node("Abs", ["x"], "t1") == "t1.1"
    assert graph.add_constant("t1", np.zeros(1)) == "t1.2"
    assert graph.add_constant("new", np.zeros(1)) == "new"


def test_a_cycle_is_told():
    graph = Graph(chain("Relu", "Neg"))
    graph.of_type("Relu")[0].input[:] = ["y"]
    with pytest.raises(ValueError, match="cycle or a gap"):
        graph.to_model()


def test_equal_graphs_give_equal_bytes(tmp_path: Path):
    for name in ("a", "b"):
        graph = Graph(chain("Relu", "Neg", "Abs"))
        graph.constants["c"] = np.ones(2, np.float32)
        graph.of_type("Abs")[0].op_type = "Sub"
        graph.of_type("Sub")[0].input.append("c")
        graph.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    onnx.checker.check_model(onnx.load(str(tmp_path / "a")))
