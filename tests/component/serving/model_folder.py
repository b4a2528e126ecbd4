"""Writes model folders as the packaging stage lays them out, with a small real ONNX network."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from compression_contract.base import digest_of
from compression_contract.served_model import ServedModel, TensorSpec, Tolerance
from support import tiny

CLASSES, SHAPE = 10, (1, 28, 28)
ARTIFACT_DIGEST = digest_of(b"artifact")


@dataclass(frozen=True)
class ModelFolder:
    path: Path
    description: ServedModel
    inputs: np.ndarray
    outputs: np.ndarray


def network(seed: int = 0, batch: int | str = "n") -> bytes:
    """A convolution, a ReLU and a dense layer with random weights, as ONNX opset 13."""
    rng = np.random.default_rng(seed)
    weights = {
        "kernel": rng.normal(0, 0.3, (8, 1, 3, 3)).astype(np.float32),
        "dense": rng.normal(0, 0.1, (8 * 14 * 14, CLASSES)).astype(np.float32),
        "bias": rng.normal(0, 0.1, (CLASSES,)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "dense", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, *SHAPE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def golden(model: bytes, rows: int = 16, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs and what the network answers to them."""
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = np.random.default_rng(seed).normal(0, 1, (rows, *SHAPE)).astype(np.float32)
    if session.get_inputs()[0].shape[0] == 1:
        return inputs, np.concatenate([session.run(None, {"image": row[None]})[0] for row in inputs])
    return inputs, session.run(None, {"image": inputs})[0]


def write_words(folder: Path) -> ModelFolder:
    """A complete folder of a model that takes token ids."""
    model = tiny.words_model(folder / "words.onnx").read_bytes()
    inputs = np.random.default_rng(2).integers(0, tiny.WORDS, (16, tiny.LENGTH))
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {"tokens": inputs})
    tensors = (
        TensorSpec(name="tokens", datatype="INT64", shape=(-1, tiny.LENGTH)),
        TensorSpec(name="logits", datatype="FP32", shape=(-1, tiny.CLASSES)),
    )
    return _lay_out(folder, model, (inputs, outputs), tensors)


def write(
    folder: Path, model: bytes | None = None, answers: np.ndarray | None = None, batch: int = -1
) -> ModelFolder:
    """A complete folder; `answers` replaces the golden outputs, to describe a model that answers wrongly."""
    model = network(batch="n" if batch == -1 else batch) if model is None else model
    inputs, outputs = golden(model)
    tensors = (
        TensorSpec(name="image", datatype="FP32", shape=(batch, *SHAPE)),
        TensorSpec(name="logits", datatype="FP32", shape=(batch, CLASSES)),
    )
    return _lay_out(folder, model, (inputs, outputs if answers is None else answers), tensors)


def _lay_out(
    folder: Path, model: bytes, pairs: tuple[np.ndarray, np.ndarray], tensors: tuple[TensorSpec, TensorSpec]
) -> ModelFolder:
    (folder / "golden").mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    np.savez(folder / "golden/golden.npz", inputs=pairs[0], outputs=pairs[1])
    golden_bytes = (folder / "golden/golden.npz").read_bytes()
    description = ServedModel(
        name="tiny",
        version="1.0.0",
        artifact_digest=ARTIFACT_DIGEST,
        model_digest=f"sha256:{hashlib.sha256(model).hexdigest()}",
        golden_digest=f"sha256:{hashlib.sha256(golden_bytes).hexdigest()}",
        format="ONNXQDQ",
        inputs=tensors[:1],
        outputs=tensors[1:],
        threads=1,
        tolerance=Tolerance(max_absolute_difference=0.001, top1_agreement=1.0),
    )
    (folder / "model.json").write_text(json.dumps(description.wire()))
    return ModelFolder(folder, description, *pairs)
