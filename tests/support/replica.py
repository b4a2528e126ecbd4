"""One of two processes that train a network together: ``python replica.py INDEX MASTER``.

Prints the weights it ends with; the first one also those of the same training done alone.
"""

from __future__ import annotations

import contextlib
import json
import sys
from contextlib import nullcontext

import numpy as np

from compression_contract.methods import Optimizer
from compression_jobs import framework
from compression_jobs.framework import functional, nn, paddle
from compression_jobs.keeper import Keeper
from compression_jobs.replicas import ALONE, NotFirst, Replica
from compression_jobs.training.loop import Course, train
from support import gratings

SAMPLES = 40


class Network(nn.Layer):
    """A linear layer, and a normalisation that only watches: its statistics move, nothing hangs on them."""

    def __init__(self) -> None:
        super().__init__()
        self.watching = nn.BatchNorm2D(1)
        self.head = nn.Linear(gratings.SIZE**2, gratings.CLASSES)

    def forward(self, images):
        return self.head(images.flatten(1)) + 0 * self.watching(images).mean()


class Samples:
    """Gratings as floats."""

    def __init__(self) -> None:
        self.images, self.labels = gratings.images(SAMPLES, 1)

    def inputs(self, indices):
        return (self.images[indices][:, None] / 127.5 - 1).astype(np.float32)


class Objective:
    """Cross-entropy."""

    def __init__(self, labels) -> None:
        self._labels = labels

    def loss(self, output, samples, _progress):
        return functional.cross_entropy(output, paddle.to_tensor(self._labels[samples]))

    def layers(self):
        return {}

    def watching(self, _network):
        return nullcontext()


def weights(replica: Replica) -> dict[str, list[float]]:
    framework.start(replica.index)
    network, data = Network(), Samples()
    # Of 15 samples one replica has eight and the other seven.
    course = Course(4, Optimizer(name="SGD", learning_rate=0.05, batch_size=15), 3)
    with contextlib.suppress(NotFirst):
        train(network, data, np.arange(SAMPLES), Objective(data.labels), course, Keeper(replica=replica))
    return {name: tensor.numpy().ravel().tolist() for name, tensor in network.state_dict().items()}


if __name__ == "__main__":
    index, master = int(sys.argv[1]), sys.argv[2]
    together = weights(Replica(index, 2, master, 60.0))
    print(
        "\n" + json.dumps({"together": together, "alone": weights(ALONE) if index == 0 else None}), flush=True
    )
