"""Tensors between integer layers that no layer learned a grid for: both ways of a residual sum, and pooling.

Left in floating point they would make the runtime leave its integer kernels between two layers. Owns which
they are, and their ranges, read off the float model on calibration data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compression_jobs.exporters.activations import Activations, not_negative
from compression_jobs.exporters.graph import Graph

_JOINTS: Final = ("Add", "GlobalAveragePool", "AveragePool")
_BATCH: Final = 32


def open_edges(graph: Graph, activations: Activations) -> list[str]:
    """Tensors that enter or leave a sum or a pooling and stand on no grid yet."""
    edges: dict[str, None] = {}
    for node in graph.of_type(*_JOINTS):
        outputs = [] if node.op_type == "Add" else list(node.output)
        for tensor in [*node.input, *outputs]:
            computed = graph.producer(tensor) is not None and not activations.is_pair_output(tensor)
            if computed and not graph.is_output(tensor):
                edges[tensor] = None
    return list(edges)


def measure(graph: Graph, tensors: Sequence[str], inputs: NDArray[np.float32]) -> dict[str, float]:
    """Steps for tensors of a float model, from the mean over batches of their extremes.

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
    extremes: list[list[tuple[float, float]]] = []
    for start in range(0, len(inputs), _BATCH):
        values = session.run(list(tensors), {name: inputs[start : start + _BATCH]})
        extremes.append([(float(value.min()), float(value.max())) for value in values])
    low, high = np.asarray(extremes).mean(axis=0).T
    return {
        tensor: _step(float(low[place]), float(high[place]), not_negative(graph, tensor))
        for place, tensor in enumerate(tensors)
    }


def close(graph: Graph, activations: Activations, steps: dict[str, float]) -> None:
    """Let sums and poolings read 8-bit values; a grid that a layer learned for a tensor is used again."""
    joints = graph.of_type(*_JOINTS)
    for tensor in open_edges(graph, activations):
        known = activations.of(tensor)
        step = known.step if known is not None else steps[tensor]
        readers = [node for node in graph.consumers(tensor) if node.op_type != "QuantizeLinear"]
        made_by_joint = any(tensor in node.output for node in joints)
        activations.feed(
            readers if made_by_joint else [node for node in readers if node in joints], tensor, step
        )


def _step(low: float, high: float, unsigned: bool) -> float:
    width = high / 255 if unsigned else max(high, -low) / 127
    return max(width, 1e-12)
