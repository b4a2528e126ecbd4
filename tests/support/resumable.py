"""A small training as a process of its own, which is killed or goes on: ``python resumable.py PLAN``.

PLAN is JSON: folder of the checkpoints; quanters to train under, or null; die, the step to be killed before,
or null to go on from the last checkpoint and then to train once more undisturbed. The network has dropout and
batch normalisation, its samples get noise from NumPy's stream as they are read, and the objective trains a
layer that the network does not have. The last line printed tells how both trainings ended.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from compression_contract.methods import Optimizer, Quanters
from compression_jobs import framework
from compression_jobs.checkpoint_places import Folders
from compression_jobs.checkpoints import Checkpoints
from compression_jobs.framework import functional, nn, paddle
from compression_jobs.keeper import Keeper
from compression_jobs.quantizers import aware
from compression_jobs.training.loop import Course, train
from support import gratings

SAMPLES, BATCH, EPOCHS = 200, 16, 3
STEPS = SAMPLES // BATCH * EPOCHS


class Network(nn.Layer):
    """Convolution, normalisation, dropout, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        features = nn.Conv2D(1, 4, 3, stride=2, padding=1, bias_attr=False), nn.BatchNorm2D(4), nn.ReLU()
        self.body = nn.Sequential(*features, nn.Flatten(), nn.Dropout(0.3))
        self.head = nn.Linear(4 * (gratings.SIZE // 2) ** 2, gratings.CLASSES)

    def forward(self, images):
        return self.head(self.body(images))


class Noisy:
    """Samples that are never twice the same."""

    def __init__(self) -> None:
        self.images, self.labels = gratings.images(SAMPLES, 1)

    def inputs(self, indices):
        noise = np.random.normal(0, 0.1, (len(indices), *gratings.SHAPE))
        return (self.images[indices][:, None] / 127.5 - 1 + noise).astype(np.float32)


class Objective:
    """Cross-entropy behind an adapter; it kills the process when its time has come."""

    def __init__(self, labels, folder: Path, die: int | None) -> None:
        self._labels, self._folder, self._die = labels, folder, die
        self.adapter = nn.Linear(gratings.CLASSES, gratings.CLASSES)

    def loss(self, output, samples, progress):
        if round(progress * STEPS) == self._die:
            while not any(self._folder.glob("*/_SUCCESS")):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)
        return functional.cross_entropy(self.adapter(output), paddle.to_tensor(self._labels[samples]))

    def layers(self):
        return {"adapter": self.adapter}

    def watching(self, _network):
        return nullcontext()


def trained(folder: Path, quanters: dict | None, die: int | None, kept: bool) -> dict[str, Any]:
    framework.start(1)
    network, data = Network(), Noisy()
    if quanters is not None:
        network = aware.prepare(network, Quanters.model_validate(quanters), {})
    objective = Objective(data.labels, folder, die)
    checkpoints = Checkpoints(Folders(folder, folder), "sha256:" + "1" * 64, 0.0, folder / "scratch")
    settings = Optimizer(name="AdamW", learning_rate=0.01, weight_decay=0.1, batch_size=BATCH)
    course = Course(EPOCHS, settings, 7, 0.8)
    history = train(
        network, data, np.arange(SAMPLES), objective, course, Keeper(checkpoints) if kept else None
    )
    weights = [*network.state_dict().values(), *objective.adapter.state_dict().values()]
    digest = hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in weights)).hexdigest()
    return {"weights": digest, "history": history.to_json(), "resumed": history.resumed_at_step}


def main(folder: str, quanters: dict | None, die: int | None) -> None:
    logging.basicConfig(level=logging.INFO)
    resumed = trained(Path(folder), quanters, die, kept=True)
    undisturbed = trained(Path(folder), quanters, None, kept=False)
    print("\n" + json.dumps({"resumed": resumed, "undisturbed": undisturbed}), flush=True)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
