"""Our side of the comparison: the stages themselves, as processes on a real object store.

Owns one pass from raw images to a measured pair of files for a network. Must not know the peers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.compression.judge import Data
from cluster import debian
from compression_contract.artifacts import ArtifactRef
from compression_contract.base import Frozen
from compression_contract.inputs import DistillInput, PrepareDataInput, PTQInput, QATInput
from compression_contract.methods import (
    Calibration,
    DatasetInput,
    Distillation,
    Optimizer,
    StudentInput,
)
from support import stages
from support.seaweed import SeaweedFS

CLASSES, SHAPE = 10, (1, 32, 32)
SEED = 20261122


@dataclass(frozen=True)
class Budget:
    """How long to train."""

    samples: int = 8000
    epochs: int = 2
    qat_epochs: float = 0.5
    batches: int = 50
    """Calibration batches of 32."""


@dataclass
class Workshop:
    """A bucket, and the dataset that everybody is given."""

    server: SeaweedFS
    bucket: str
    folder: Path
    budget: Budget
    data: ArtifactRef | None = None

    def prepare(self) -> Data:
        """Fashion-MNIST of the Debian package, in our form."""
        source = debian.tools(("dataset-fashion-mnist",)).root / "usr/share/datasets/fashion-mnist"
        given = PrepareDataInput(source=str(source), train_samples=self.budget.samples)
        self.data = self.make("data", given)
        for split in ("train", "test"):
            self.fetch(self.data, f"{split}.npz", self.folder / f"{split}.npz")
        manifest = self.server.get(f"{self.data.uri}/manifest.json")
        return Data.read(self.folder, manifest)

    def train(self, arch: str) -> ArtifactRef:
        """A float student, on labels alone: the comparison is about what comes after."""
        given = DistillInput(
            dataset=self._dataset(),
            student=StudentInput(arch=arch, num_classes=CLASSES, input_shape=SHAPE),
            distillation=Distillation(teachers=()),
            epochs=self.budget.epochs,
            optimizer=Optimizer(learning_rate=2e-3),
            formats=("ONNXQDQ", "PaddleInference"),
        )
        return self.make(f"{arch}/float", given)

    def quantise(self, arch: str, student: ArtifactRef, method: str) -> ArtifactRef:
        """A candidate by PTQ with defaults, or by QAT."""
        shared = {"dataset": self._dataset(), "source": student}
        if method == "PTQ":
            given: Frozen = PTQInput(**shared, calibration=Calibration(batches=self.budget.batches))
        else:
            given = QATInput(**shared, epochs=self.budget.qat_epochs, learning_rate=2e-4)
        return self.make(f"{arch}/{method.lower()}", given)

    def make(self, name: str, parameters: Frozen) -> ArtifactRef:
        """Run a stage to its end; a failure shows the end of its log."""
        document = stages.stage_input(parameters, self.server.endpoint, f"{self.bucket}/{name}")
        ended = stages.run(
            parameters.stage, self.folder / "work" / name, document, self.server.writer, timeout=1800
        )
        if ended.code != 0 or ended.result.artifact is None:
            raise RuntimeError(f"{name}: exit code {ended.code}\n{ended.log[-3000:]}")
        return ended.result.artifact

    def fetch(self, artifact: ArtifactRef, name: str, target: Path) -> Path:
        """A file of an artifact, on disk."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.server.get(f"{artifact.uri}/{name}"))
        return target

    def _dataset(self) -> DatasetInput:
        assert self.data is not None, "prepare() comes first"
        return DatasetInput(uri=self.data.uri, digest=self.data.digest, seed=SEED)
