"""Stages run in this process, on artifacts in local folders: Paddle is loaded once for all of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.inputs import DistillInput
from compression_contract.methods import DatasetInput, Distillation, Optimizer, StudentInput
from compression_contract.results import TrainFacts
from compression_jobs import arrays, artifacts, stages
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.context import StageContext
from compression_jobs.readers import npz
from support import gratings
from support.stages import RUN

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Made:
    """What a stage achieved."""

    facts: TrainFacts
    artifact: LocalArtifact
    reference: ArtifactRef

    @property
    def files(self) -> list[str]:
        return [entry.path for entry in self.artifact.manifest.files]

    def outputs(self, inputs: NDArray[Any], file: str = "model.onnx") -> NDArray[np.float32]:
        """What onnxruntime answers with its default options on one thread."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = str(self.artifact.folder / file)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"input": inputs})
        return found

    def recorded(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Samples of the test split, and what the fake-quantised model answered."""
        kept = arrays.load(self.artifact.folder / "fake_quant.npz", ("indices", "logits"), 1 << 28)
        return kept["indices"], kept["logits"]


@dataclass
class World:
    """Artifacts by digest; what a stage that runs an author's code is given in place of a store."""

    folder: Path
    known: dict[str, LocalArtifact] = field(default_factory=dict)
    dataset: DatasetInput | None = None
    student: ArtifactRef | None = None

    def fetched(self, reference: ArtifactRef, kind: ArtifactKind) -> LocalArtifact:
        found = self.known[reference.digest]
        artifacts.require_kind(found.manifest, kind, reference.uri)
        return found

    def add(self, output: Output) -> tuple[LocalArtifact, ArtifactRef]:
        manifest = artifacts.describe(output)
        artifact = LocalArtifact(manifest, manifest.digest, output.folder)
        self.known[manifest.digest] = artifact
        return artifact, ArtifactRef(uri="s3://local/artifact", digest=manifest.digest)

    def run(self, parameters: Any) -> Made:
        """A stage, to its artifact; its refusal passes through."""
        scratch = self.folder / f"{parameters.stage}-{next(_numbers)}"
        digest = f"sha256:{next(_numbers):064x}"
        context = StageContext(parameters, RUN, digest, scratch, scratch / "secret", inputs=self)
        outcome = stages.load(parameters.stage)(context)
        artifact, reference = self.add(outcome.output)
        return Made(outcome.facts, artifact, reference)

    @classmethod
    def with_gratings(cls, folder: Path, train: int = 600, test: int = 400) -> World:
        """A world with one dataset."""
        world, data = cls(folder), folder / "data"
        data.mkdir(parents=True)
        for split, count, seed in (("train", train, 1), ("test", test, 2)):
            pixels, labels = gratings.images(count, seed)
            npz.write(data / f"{split}.npz", pixels[:, np.newaxis], labels)
        facts = {
            "inputShape": list(gratings.SHAPE),
            "numClasses": gratings.CLASSES,
            "splits": {"train": train, "test": test},
            "mean": [0.47],
            "std": [0.2],
        }
        _, reference = world.add(Output(data, ArtifactKind.DATASET, facts))
        world.dataset = DatasetInput(uri=reference.uri, digest=reference.digest)
        return world

    def train(self, arch: str, epochs: int = 4, rate: float = 5e-3) -> Made:
        """A float student, by labels alone."""
        student = StudentInput(arch=arch, num_classes=gratings.CLASSES, input_shape=gratings.SHAPE)
        given = DistillInput(
            dataset=self.dataset,
            student=student,
            distillation=Distillation(teachers=()),
            epochs=epochs,
            optimizer=Optimizer(learning_rate=rate),
        )
        made = self.run(given)
        self.student = made.reference
        return made
