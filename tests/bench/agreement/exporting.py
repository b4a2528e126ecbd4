"""A network's way to its INT8 file, and how near its answers are to the fake-quantised network's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bench.agreement.subjects import Data, Subject
from compression_contract.methods import Quanters
from compression_jobs import framework
from compression_jobs.exporters.convert import to_int8_onnx
from compression_jobs.exporters.program import run_program, save_program
from compression_jobs.exporters.request import Report
from compression_jobs.framework import functional, nn, paddle
from compression_jobs.quantizers import aware, slim
from compression_jobs.quantizers.post_training import weights_by_layer
from compression_jobs.quantizers.ranges import observe

CALIBRATION, BATCH, CHUNK = 128, 32, 100
OPSET = 13
QUANTERS = {
    "QAT": Quanters(),
    "QAT LSQ+": Quanters(weight="LSQplus", activation="LSQplus"),
    "QAT PACT": Quanters(activation="PACT"),
}
METHODS = ("PTQ", *QUANTERS)


@dataclass(frozen=True)
class Budget:
    """How long a network is trained, and then fine-tuned."""

    steps: int = 60
    tuning: int = 20
    rate: float = 5e-3
    tuning_rate: float = 5e-4


@dataclass(frozen=True)
class Exported:
    """A network and method, done."""

    reference: NDArray[np.float32]
    """Answers of the fake-quantised network."""
    answers: NDArray[np.float32]
    """Of the INT8 file."""
    float_answers: NDArray[np.float32]
    """Of the float file with the same weights."""
    file: Path
    float_file: Path
    report: Report

    @property
    def agreement(self) -> float:
        """The share of equal decisions."""
        return _same(self.reference, self.answers)

    @property
    def float_agreement(self) -> float:
        """What leaving quantisation out would give: a measure of how much there is to lose."""
        return _same(self.reference, self.float_answers)

    @property
    def difference(self) -> float:
        """The largest one, in standard deviations of the fake-quantised network's answers."""
        return float(np.abs(self.reference - self.answers).max() / self.reference.std())


def decisions(outputs: NDArray[np.float32]) -> NDArray[np.int64]:
    """The first class of each decision: maps have classes second, all else has them last."""
    decided: NDArray[np.int64] = outputs.argmax(1 if outputs.ndim == 4 else -1)
    return decided


def _same(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float((decisions(one) == decisions(other)).mean())


def fitted(subject: Subject, data: Data, budget: Budget) -> Any:
    """A network that has learned a little."""
    framework.start(0)
    network = subject.build(data)
    _train(network, data, budget.steps, budget.rate)
    return network


def export(subject: Subject, data: Data, weights: Any, method: str, folder: Path, budget: Budget) -> Exported:
    """Quantise a float network by a method and export it.

    Args:
        subject: what it is.
        data: what it has learned from.
        weights: its state.
        method: one of METHODS.
        folder: an empty one.
        budget: of the fine-tuning.
    """
    folder.mkdir()
    framework.start(0)
    network = subject.build(data)
    network.set_state_dict(weights)
    quantised = _after_training if method == "PTQ" else _in_training(QUANTERS[method], budget)
    layers, reference = quantised(subject, data, network, folder)
    file = folder / "int8.onnx"
    report = to_int8_onnx(folder / "float", file, layers, data.inputs[:CALIBRATION], OPSET, folder)
    float_file = folder / "float.onnx"
    return Exported(
        reference, answers(file, data.test), answers(float_file, data.test), file, float_file, report
    )


def _after_training(_: Subject, data: Data, network: Any, folder: Path) -> tuple[Any, Any]:
    _save(network, data, folder)
    calibrated = folder / "calibrated" / "model"
    batches = np.split(data.inputs[:CALIBRATION], CALIBRATION // BATCH)
    slim.calibrate(folder / "float", calibrated, batches, slim.Settings("Hist", per_channel=True))
    layers = slim.calibrated_layers(calibrated, weights_by_layer(network))
    return layers, run_program(calibrated, _chunks(data.test))


def _in_training(quanters: Quanters, budget: Budget) -> Callable[..., tuple[Any, Any]]:
    def quantised(subject: Subject, data: Data, network: Any, folder: Path) -> tuple[Any, Any]:
        ranges = observe(network, np.split(data.inputs[:CALIBRATION], CALIBRATION // BATCH))
        network = aware.prepare(network, quanters, ranges)
        _train(network, data, budget.tuning, budget.tuning_rate)
        with paddle.no_grad():
            reference = np.concatenate([network(paddle.to_tensor(x)).numpy() for x in _chunks(data.test)])
        plain = subject.build(data)
        plain.set_state_dict(slim.trained_weights(network))
        _save(plain, data, folder)
        return aware.trained_layers(network, weights_by_layer(plain)), reference

    return quantised


def _save(network: Any, data: Data, folder: Path) -> None:
    save_program(network, data.shape, folder / "float", str(data.inputs.dtype))


def _train(network: Any, data: Data, steps: int, rate: float) -> None:
    schedule = paddle.optimizer.lr.CosineAnnealingDecay(rate, steps)
    mover = paddle.optimizer.Adam(schedule, parameters=network.parameters())
    random = np.random.RandomState(0)
    network.train()
    for step in range(steps):
        if step >= steps * 3 / 4:
            for layer in network.sublayers():
                if isinstance(layer, nn.BatchNorm2D):
                    layer.eval()
        chosen = random.randint(0, len(data.inputs), BATCH)
        output = network(paddle.to_tensor(data.inputs[chosen]))
        _loss(output, paddle.to_tensor(data.labels[chosen])).backward()
        mover.step()
        mover.clear_grad()
        schedule.step()
    network.eval()


def _loss(output: Any, labels: Any) -> Any:
    """Cross-entropy of all decisions; a sample's label is that of each of its steps or places."""
    rows = output.transpose([0, 2, 3, 1]) if output.ndim == 4 else output
    rows = rows.reshape([rows.shape[0], -1, rows.shape[-1]])
    return functional.cross_entropy(rows, labels.reshape([-1, 1]).tile([1, rows.shape[1]]))


def session(path: Path) -> onnxruntime.InferenceSession:
    """A file opened on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answers(path: Path, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """A file's answers to all samples."""
    opened = session(path)
    return np.concatenate([opened.run(None, {"input": part})[0] for part in _chunks(inputs)])


def _chunks(inputs: NDArray[Any]) -> list[NDArray[Any]]:
    return [inputs[start : start + CHUNK] for start in range(0, len(inputs), CHUNK)]
