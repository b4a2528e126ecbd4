"""Small networks as ONNX, in the form that Paddle's converter writes, with fixed random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compression_jobs.exporters.graph import Graph
from compression_jobs.exporters.scales import LayerScales

SHAPE = (2, 8, 8)
CLASSES = 5


class Network:
    """Builds a graph node by node; every weight is named after its node."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[Any] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        self._constants[name] = np.asarray(value)
        return name

    def conv(
        self, name: str, source: str, inputs: int, outputs: int, kernel: int = 3, groups: int = 1
    ) -> str:
        """Convolution and batch normalisation whose channels differ widely in scale, some negative."""
        weight = self._random.normal(0, 0.4, (outputs, inputs // groups, kernel, kernel)).astype(np.float32)
        self.constant(f"{name}.w", weight)
        padding = [kernel // 2] * 4
        self.node("Conv", [source, f"{name}.w"], f"{name}.conv", pads=padding, group=groups)
        gamma = self._random.uniform(0.3, 4, outputs) * self._random.choice([1, 1, -1], outputs)
        norm = {
            "gamma": gamma,
            "beta": self._random.normal(0, 1, outputs),
            "mean": self._random.normal(0, 1, outputs),
            "variance": self._random.uniform(0.05, 4, outputs),
        }
        names = [self.constant(f"{name}.{key}", value.astype(np.float32)) for key, value in norm.items()]
        return self.node("BatchNormalization", [f"{name}.conv", *names], f"{name}.norm", epsilon=1e-5)

    def relu(self, source: str) -> str:
        return self.node("Relu", [source], f"{source}.relu")

    def head(self, source: str, channels: int) -> Graph:
        """Pooling, the flattening and the fully connected layer as Paddle's converter writes them."""
        self.node("GlobalAveragePool", [source], "pooled")
        for name, value in (("zero", [0]), ("one", [1]), ("rest", [-1])):
            self.constant(name, np.array(value, np.int64))
        self.node("Shape", ["pooled"], "shape")
        self.node("Slice", ["shape", "zero", "one", "zero"], "length")
        self.node("Concat", ["length", "rest"], "flat_shape", axis=0)
        self.node("Reshape", ["pooled", "flat_shape"], "flat")
        self.constant("fc.w", self._random.normal(0, 0.5, (channels, CLASSES)).astype(np.float32))
        self.constant("fc.b", self._random.normal(0, 0.5, CLASSES).astype(np.float32))
        self.node("MatMul", ["flat", "fc.w"], "product")
        self.node("Add", ["product", "fc.b"], "scores")
        values = [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["DynamicDimension.0", *SHAPE]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["DynamicDimension.0", CLASSES]),
        ]
        graph = helper.make_graph(
            self._nodes,
            "network",
            values[:1],
            values[1:],
            [numpy_helper.from_array(value, name) for name, value in self._constants.items()],
        )
        return Graph(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7))


def depthwise() -> Graph:
    """Convolution, depthwise, pointwise."""
    net = Network(1)
    stem = net.relu(net.conv("stem", "image", 2, 16))
    deep = net.relu(net.conv("deep", stem, 16, 16, groups=16))
    return net.head(net.relu(net.conv("point", deep, 16, 24, kernel=1)), 24)


def residual() -> Graph:
    """A block with a projection, a block with the plain shortcut."""
    net = Network(2)
    stem = net.relu(net.conv("stem", "image", 2, 8))
    way = net.conv("b", net.relu(net.conv("a", stem, 8, 16)), 16, 16)
    first = net.relu(net.node("Add", [way, net.conv("p", stem, 8, 16, kernel=1)], "sum1"))
    way = net.conv("d", net.relu(net.conv("c", first, 16, 16)), 16, 16)
    return net.head(net.relu(net.node("Add", [way, first], "sum2")), 16)


def inputs(count: int = 256, seed: int = 9) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, 1, (count, *SHAPE)).astype(np.float32)


def run(graph: Graph, samples: NDArray[np.float32], **options: Any) -> NDArray[np.float32]:
    """The answers on one thread."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    for name, value in options.items():
        setattr(settings, name, value)
    session = onnxruntime.InferenceSession(
        graph.to_model().SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    (answer,) = session.run(None, {session.get_inputs()[0].name: samples})
    return answer


def learned(graph: Graph, samples: NDArray[np.float32]) -> tuple[LayerScales, ...]:
    """The grids that training would have learned for a tidied float graph: largest values."""
    layers = [node for node in graph.of_type("Conv", "Gemm") if node.input[1] in graph.constants]
    model = graph.to_model([node.input[0] for node in layers if node.input[0] != "input"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    values = dict(zip(names, session.run(None, {"input": samples}), strict=True)) | {"input": samples}
    found = []
    for node in layers:
        weight = graph.constants[node.input[1]]
        axes = tuple(range(1, weight.ndim)) if node.op_type == "Conv" else 0
        found.append(
            LayerScales(
                layer=node.name,
                weight=node.input[1],
                input_step=float(np.abs(values[node.input[0]]).max()) / 127,
                weight_steps=tuple(np.abs(weight).max(axis=axes) / 127),
                measured="Deployed",
            )
        )
    return tuple(found)
