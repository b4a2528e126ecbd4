"""An ONNX graph that is easy to change.

Owns editing: constants as arrays, nodes in any order, and writing them back sorted, pruned and checked. Must
not know what a change is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

PRODUCER: Final = "compression-operator"
Array = NDArray[Any]


class Graph:
    """The nodes and constants of a model; tensors are known by name."""

    def __init__(self, model: Any) -> None:
        graph = model.graph
        self.opset: int = next(
            entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}
        )
        self.ir_version: int = model.ir_version
        self.inputs: list[Any] = list(graph.input)
        self.outputs: list[Any] = list(graph.output)
        self.constants: dict[str, Array] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        self.nodes: list[Any] = []
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(attribute(node, "value"))
            else:
                self.nodes.append(node)

    @classmethod
    def load(cls, path: Path) -> Graph:
        """Read a model whose weights lie in the same file."""
        return cls(onnx.load(str(path), load_external_data=False))

    def producer(self, tensor: str) -> Any | None:
        """The node that makes a tensor, or None for inputs and constants."""
        return next((node for node in self.nodes if tensor in node.output), None)

    def consumers(self, tensor: str) -> list[Any]:
        """The nodes that read a tensor."""
        return [node for node in self.nodes if tensor in node.input]

    def is_output(self, tensor: str) -> bool:
        """Whether a tensor leaves the graph."""
        return any(output.name == tensor for output in self.outputs)

    def of_type(self, *operators: str) -> list[Any]:
        """All nodes of some operators, in their order."""
        return [node for node in self.nodes if node.op_type in operators]

    def unique(self, name: str) -> str:
        """A tensor name that is not taken: `name` itself, or with a number behind."""
        taken = {*self.constants, *(tensor for node in self.nodes for tensor in node.output)}
        candidates = (f"{name}.{number}" if number else name for number in range(len(taken) + 1))
        return next(candidate for candidate in candidates if candidate not in taken)

    def add_constant(self, name: str, value: Array) -> str:
        """Store an array; returns the name it got."""
        chosen = self.unique(name)
        self.constants[chosen] = value
        return chosen

    def add_node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node with one output, anywhere; returns the name that the output got."""
        chosen = self.unique(output)
        self.nodes.append(helper.make_node(operator, list(inputs), [chosen], name=chosen, **attributes))
        return chosen

    def remove(self, node: Any) -> None:
        """Take a node out; what read its output must be rewired before."""
        self.nodes = [other for other in self.nodes if other is not node]

    def bypass(self, node: Any, tensor: str) -> None:
        """Take a node out and let `tensor` stand where its output stood."""
        self.remove(node)
        for reader in self.consumers(node.output[0]):
            rewire(reader, node.output[0], tensor)
        if self.is_output(node.output[0]):
            self.rename(tensor, node.output[0])

    def rename(self, old: str, new: str) -> None:
        """Give a tensor another name everywhere."""
        for node in self.nodes:
            rewire(node, old, new)
            node.output[:] = [new if tensor == old else tensor for tensor in node.output]
        for value in (*self.inputs, *self.outputs):
            if value.name == old:
                value.name = new

    def ranks(self) -> dict[str, int]:
        """How many dimensions each tensor has, where that can be inferred."""
        inferred = onnx.shape_inference.infer_shapes(self.to_model()).graph
        values = [*inferred.input, *inferred.value_info, *inferred.output]
        return {
            value.name: len(value.type.tensor_type.shape.dim)
            for value in values
            if value.type.tensor_type.HasField("shape")
        }

    def to_model(self, extra_outputs: Sequence[str] = ()) -> Any:
        """The model: dead nodes left out, nodes sorted, names kept, checked.

        Args:
            extra_outputs: float tensors that leave the graph too, for calibration.
        """
        outputs = [
            *self.outputs,
            *(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in extra_outputs),
        ]
        nodes = self._sorted(self._live({output.name for output in outputs}))
        used = {tensor for node in nodes for tensor in node.input}
        graph = helper.make_graph(
            nodes,
            "model",
            self.inputs,
            outputs,
            [
                numpy_helper.from_array(np.asarray(value, order="C"), name)
                for name, value in self.constants.items()
                if name in used
            ],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], producer_name=PRODUCER
        )
        model.ir_version = self.ir_version
        if not extra_outputs:  # their shapes are not known, which the checker does not allow
            onnx.checker.check_model(model)
        return model

    def save(self, path: Path) -> None:
        """Write the model; equal graphs give equal bytes."""
        path.write_bytes(self.to_model().SerializeToString(deterministic=True))

    def _live(self, wanted: set[str]) -> list[Any]:
        makers = {tensor: node for node in self.nodes for tensor in node.output}
        needed, pending = set(wanted), list(wanted)
        while pending:
            maker = makers.get(pending.pop())
            new = set(maker.input) - needed if maker is not None else set()
            needed |= new
            pending += new
        return [node for node in self.nodes if not needed.isdisjoint(node.output)]

    def _sorted(self, nodes: list[Any]) -> list[Any]:
        known = {"", *self.constants, *(value.name for value in self.inputs)}
        pending, result = list(nodes), []
        while pending:
            ready = [node for node in pending if known.issuperset(node.input)]
            if not ready:
                raise ValueError(
                    f"the graph has a cycle or a gap before {pending[0].name or pending[0].op_type}"
                )
            result += ready
            known.update(tensor for node in ready for tensor in node.output)
            pending = [node for node in pending if not known.issuperset(node.output)]
        return result


def rewire(node: Any, old: str, new: str) -> None:
    """Let a node read another tensor."""
    node.input[:] = [new if tensor == old else tensor for tensor in node.input]


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """A node's attribute as a Python value."""
    return next(
        (helper.get_attribute_value(found) for found in node.attribute if found.name == name), default
    )
