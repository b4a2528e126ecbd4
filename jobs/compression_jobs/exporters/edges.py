"""Tensors between integer kernels that no layer learned a grid for.

ONNX Runtime computes a convolution in integers only if its output is on a grid too, and likewise sums,
products, concatenations and poolings, if their inputs and output are. Left in floating point they would make
it leave its integer kernels between two layers. Owns which tensors these are, and their ranges, read off the
float model on calibration data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compression_jobs.exporters import grids
from compression_jobs.exporters.activations import Activations
from compression_jobs.exporters.graph import Graph

JOINTS: Final = ("Add", "Mul", "Concat", "GlobalAveragePool", "AveragePool")
CUT_OFFS: Final = frozenset({"Relu", "Clip"})
_BATCH: Final = 32
_VALUES_AT_A_TIME: Final = 1 << 20
"""Of the input: a batch's inner tensors are held all at once."""


class Edges:
    """What has to stand on a grid so that convolutions and what joins them compute in integers."""

    def __init__(self, graph: Graph, activations: Activations, layers: Sequence[Any]) -> None:
        self._graph = graph
        self._activations = activations
        self._layers = layers
        self._wanted: dict[str, bool] = {}

    def open(self) -> dict[str, list[Any]]:
        """Tensors without a grid, or not for all of their readers, and the nodes that should read it."""
        found: dict[str, list[Any]] = {}
        for node in self._layers:
            end = self._end(node.output[0])
            if node.op_type == "Conv" and not self._graph.is_output(end):
                self._note(found, end, self._graph.consumers(end))
        for joint in self._graph.of_type(*JOINTS):
            if not self._is_integer(joint):
                continue
            for tensor in joint.input:
                if not self._activations.is_pair_output(tensor):
                    readers = [node for node in self._graph.consumers(tensor) if self._is_integer(node)]
                    self._note(found, tensor, readers)
            end = self._end(joint.output[0])
            self._note(found, end, self._graph.consumers(end))
        return found

    def _note(self, found: dict[str, list[Any]], tensor: str, readers: list[Any]) -> None:
        noted = found.get(tensor, [])
        new = [node for node in readers if node.op_type != "QuantizeLinear" and node not in noted]
        if new:
            found[tensor] = [*noted, *new]

    def _end(self, tensor: str) -> str:
        """What a kernel writes: the tensor, or the one behind what cuts it off or moves it."""
        readers = self._graph.consumers(tensor)
        moves = CUT_OFFS | grids.SAME_VALUES
        if len(readers) != 1 or readers[0].op_type not in moves or self._graph.is_output(tensor):
            return tensor
        return self._end(readers[0].output[0])

    def _is_integer(self, node: Any) -> bool:
        """Whether a node joins computed tensors into one that is read from a grid."""
        if node.op_type not in JOINTS:
            return False
        name = node.output[0]
        if name not in self._wanted:
            computed = [self._graph.producer(tensor) is not None for tensor in node.input]
            self._wanted[name] = all(computed) and self._read_from_grid(name)
        return self._wanted[name]

    def _read_from_grid(self, tensor: str) -> bool:
        end = self._end(tensor)
        return any(
            node.op_type == "QuantizeLinear" or self._is_integer(node) for node in self._graph.consumers(end)
        )


def close(
    graph: Graph, activations: Activations, layers: Sequence[Any], calibration: tuple[Graph, NDArray[Any]]
) -> None:
    """Put what is open on grids.

    Args:
        graph: it is changed.
        activations: its pairs so far: those that were learned.
        layers: the quantised nodes.
        calibration: the float model, and samples [n, ...].
    """
    found = Edges(graph, activations, layers).open()
    unknown = [tensor for tensor in found if activations.of(tensor) is None]
    ranges = measure(calibration[0], unknown, calibration[1])
    for tensor, readers in found.items():
        known = activations.of(tensor)
        grid = known.grid if known is not None else grids.measured(graph, tensor, *ranges[tensor])
        activations.feed(readers, tensor, grid)


def measure(graph: Graph, tensors: Sequence[str], inputs: NDArray[Any]) -> dict[str, tuple[float, float]]:
    """The mean over batches of the least and the largest value of tensors of a float model.

    Args:
        graph: of the float model.
        tensors: names in it.
        inputs: calibration samples, [n, ...].
    """
    if not tensors:
        return {}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = graph.to_model(tensors).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    size = max(1, min(_BATCH, _VALUES_AT_A_TIME // max(1, inputs[0].size)))
    extremes: list[list[tuple[float, float]]] = []
    for start in range(0, len(inputs), size):
        values = session.run(list(tensors), {name: inputs[start : start + size]})
        extremes.append([(float(value.min()), float(value.max())) for value in values])
    low, high = np.asarray(extremes).mean(axis=0).T
    return {tensor: (float(low[place]), float(high[place])) for place, tensor in enumerate(tensors)}
