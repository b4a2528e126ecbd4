"""One process of the benchmark: ``python -m bench.data_parallel.worker PLAN`` prints its pace as JSON."""

from __future__ import annotations

import json
import sys
import time
from contextlib import nullcontext, suppress

import numpy as np

from compression_contract.methods import Optimizer
from compression_jobs import framework, networks
from compression_jobs.framework import functional, paddle
from compression_jobs.keeper import Keeper
from compression_jobs.replicas import NotFirst, Replica
from compression_jobs.training import peers
from compression_jobs.training.loop import Course, train

SHAPE, CLASSES = (1, 32, 32), 10
WARM_UP = 10
"""Steps that are not counted: memory is found, kernels are chosen."""


class Pixels:
    """Random samples; what they show costs nothing."""

    def __init__(self, samples: int) -> None:
        random = np.random.RandomState(0)
        self.images = random.randint(0, 256, (samples, *SHAPE), np.uint8)
        self.labels = random.randint(0, CLASSES, samples)

    def inputs(self, indices):
        return (self.images[indices].astype(np.float32) - 127.5) / 64


class Timed:
    """Cross-entropy that notes when it was asked."""

    def __init__(self, labels) -> None:
        self._labels = labels
        self.clock: list[tuple[float, float, float]] = []

    def loss(self, output, samples, _progress):
        self.clock.append((time.perf_counter(), time.process_time(), waited[0]))
        return functional.cross_entropy(output, paddle.to_tensor(self._labels[samples]))

    def layers(self):
        return {}

    def watching(self, _network):
        return nullcontext()


waited = [0.0]
"""Seconds in collectives so far."""


def note_waiting() -> None:
    """Measure how long this process is in collectives, its waiting for the other one included."""
    plain = peers.Together._sum

    def timed(self, flat):
        begun = time.perf_counter()
        try:
            return plain(self, flat)
        finally:
            waited[0] += time.perf_counter() - begun

    peers.Together._sum = timed


def main(arch: str, batch: int, steps: int, replica: dict | None) -> None:
    """Train, and print seconds of a step: by the clock, by the processor, and in collectives."""
    note_waiting()
    framework.start(0)
    data = Pixels(batch * steps)
    objective = Timed(data.labels)
    course = Course(1, Optimizer(batch_size=batch), 0)
    keeper = Keeper(replica=Replica(**replica)) if replica else None
    network = networks.build(arch, SHAPE, CLASSES)
    with suppress(NotFirst):
        train(network, data, np.arange(batch * steps), objective, course, keeper)
    first, last = objective.clock[WARM_UP], objective.clock[-1]
    counted = len(objective.clock) - 1 - WARM_UP
    names = ("clock", "processor", "collective")
    print(
        json.dumps(
            dict(zip(names, ((b - a) / counted for a, b in zip(first, last, strict=True)), strict=True))
        )
    )


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
