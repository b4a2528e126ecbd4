"""Trainings as pods run them: a small dataset in a real S3, processes that may be ended, what they left."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import DistillInput, StageInput
from compression_contract.methods import DatasetInput, Distillation, Optimizer, StudentInput
from compression_jobs.readers import npz
from support import gratings, stages
from support.seaweed import Account, SeaweedFS

PATIENCE = 120


def dataset(server: SeaweedFS, uri: str, folder: Path, train: int = 64, test: int = 40) -> DatasetInput:
    """Gratings as an artifact."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count, seed in (("train", train, 1), ("test", test, 2)):
        images, labels = gratings.images(count, seed)
        npz.write(folder / f"{split}.npz", images[:, np.newaxis], labels)
    facts = {
        "inputShape": list(gratings.SHAPE),
        "numClasses": gratings.CLASSES,
        "splits": {"train": train, "test": test},
        "mean": [0.5],
        "std": [0.25],
    }
    made = stages.store_artifact(server, uri, ArtifactKind.DATASET, folder, facts)
    return DatasetInput(uri=made.uri, digest=made.digest)


def distill(data: DatasetInput, **changes: Any) -> DistillInput:
    """A training on labels alone."""
    given: dict[str, Any] = {
        "dataset": data,
        "student": StudentInput(arch="resnet8_s2", num_classes=gratings.CLASSES, input_shape=gratings.SHAPE),
        "distillation": Distillation(teachers=()),
        "epochs": 2,
        "optimizer": Optimizer(learning_rate=3e-3, batch_size=8),
        **changes,
    }
    return DistillInput(**given)


@dataclass
class Running:
    """A stage's process under way."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def wait_for(self, text: str) -> None:
        """Until its log says so."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.log:
            assert self.process.poll() is None, self.log[-3000:]
            assert time.monotonic() < deadline, self.log[-3000:]
            time.sleep(0.05)

    def ended(self) -> stages.Ended:
        """How it ended, by itself."""
        code = self.process.wait(timeout=PATIENCE)
        return stages.ended(self.folder, code, self.log)


@contextmanager
def running(
    stage: str, folder: Path, document: StageInput, account: Account | None, **environment: str
) -> Iterator[Running]:
    """Start a stage; it is killed at the end if it still runs."""
    variables = {**stages.environment(folder, document, account), **environment}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(stages.command(stage), env=variables, cwd=folder, stderr=log)
        try:
            yield Running(process, folder)
        finally:
            process.kill()
            process.wait()
