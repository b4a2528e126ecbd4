"""Paddle programs as small as can be, for runtimes that read them: float, quantised, and wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from compression_contract.methods import Quanters
from compression_jobs import framework
from compression_jobs.exporters.program import input_spec, save_program
from compression_jobs.framework import nn, paddle
from compression_jobs.quantizers import aware, slim
from compression_jobs.quantizers.ranges import observe
from support import tiny


class Network(nn.Layer):  # type: ignore[misc]
    """A convolution, a depthwise one beside a shortcut, pooling, and a layer to classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(1, 8, 3, padding=1), nn.ReLU())
        self.body = nn.Conv2D(8, 8, 3, padding=1, groups=8)
        self.head = nn.Sequential(nn.ReLU(), nn.AvgPool2D(2), nn.Flatten(), nn.Linear(32, tiny.CLASSES))

    def forward(self, x):
        found = self.stem(x)
        return self.head(self.body(found) + found)


class Words(nn.Layer):  # type: ignore[misc]
    """The mean of embedded tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(tiny.WORDS, 4)
        self.head = nn.Linear(4, tiny.CLASSES)

    def forward(self, x):
        return self.head(self.table(x).mean(axis=1))


class Two(nn.Layer):  # type: ignore[misc]
    """Two inputs, which no model here may have."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, tiny.CLASSES)

    def forward(self, x, y):
        return self.head(x + y)


def float_program(prefix: Path) -> tuple[Path, Path]:
    framework.start(1)
    save_program(Network(), tiny.SHAPE, prefix)
    return files(prefix)


def int8_program(prefix: Path, source: Path) -> tuple[Path, Path]:
    """The float program at `source`, quantised after training."""
    samples = tiny.normalised(tiny.images(np.arange(64) % tiny.CLASSES, seed=7))
    slim.calibrate(source, prefix, [samples[:32], samples[32:]], slim.Settings("AbsMax", per_channel=True))
    return files(prefix)


def words_program(prefix: Path) -> tuple[Path, Path]:
    framework.start(1)
    return _save(Words(), prefix, [("int64", [None, tiny.LENGTH])])


def two_inputs_program(prefix: Path) -> tuple[Path, Path]:
    framework.start(1)
    return _save(Two(), prefix, [("float32", [None, 4]), ("float32", [None, 4])])


def with_operator(source: Path, target: Path, kind: str) -> None:
    """A program with one operator renamed: what a runtime sees before it runs anything."""
    description = paddle.base.core.ProgramDesc(source.read_bytes())
    block = description.block(0)
    operator = next(op for op in map(block.op, range(block.op_size())) if op.type() == "relu")
    operator.set_type(kind)
    target.write_bytes(description.serialize_to_string())


def files(prefix: Path) -> tuple[Path, Path]:
    return prefix.with_name(f"{prefix.name}.pdmodel"), prefix.with_name(f"{prefix.name}.pdiparams")


def _save(network: nn.Layer, prefix: Path, inputs: list[tuple[str, list[int | None]]]) -> tuple[Path, Path]:
    network.eval()
    spec = [
        paddle.static.InputSpec(shape, kind, f"input{number}") for number, (kind, shape) in enumerate(inputs)
    ]
    paddle.jit.save(network, str(prefix), input_spec=spec)
    return files(prefix)


def trained_program(prefix: Path) -> tuple[tuple[Path, Path], np.ndarray, np.ndarray]:
    """A program of a network under fake quantisation, samples, and what the network answers to them."""
    framework.start(1)
    samples = tiny.normalised(tiny.images(np.arange(96) % tiny.CLASSES, seed=7))
    network = Network()
    prepared = aware.prepare(network, Quanters(), observe(network, [samples[:32], samples[32:64]]))
    prepared.train()
    prepared(paddle.to_tensor(samples))
    prepared.eval()
    with paddle.no_grad():
        answers = prepared(paddle.to_tensor(samples)).numpy()
    slim.save_trained(prepared, input_spec(tiny.SHAPE), prefix)
    return files(prefix), samples, answers
