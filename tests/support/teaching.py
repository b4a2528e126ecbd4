"""A student and teachers so small that a step costs milliseconds, and the store that they come from.

Teachers are never trained: tests of mechanics need answers, not good ones.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from compression_contract.artifacts import ArtifactKind
from compression_contract.base import digest_of
from compression_contract.inputs import DistillInput
from compression_contract.methods import (
    DatasetInput,
    Distillation,
    FeatureMimic,
    Optimizer,
    StudentInput,
    TeacherInput,
)
from compression_jobs import framework
from compression_jobs.context import StageContext
from compression_jobs.exporters.program import save_program
from compression_jobs.framework import paddle
from compression_jobs.networks.resnet import ResNet
from compression_jobs.readers import npz
from compression_jobs.training.data import Data, open_data
from compression_jobs.training.inner_tensors import LAYERS_FACT, recorded
from compression_jobs.training.instruction import TeacherSource, objective
from compression_jobs.training.loop import Course, train
from compression_jobs.training.objectives import Distilled
from compression_jobs.training.teachers import Teacher
from support import gratings, stages
from support.seaweed import SeaweedFS

STUDENT, TEACHER = ResNet((1, 1), width=8), ResNet((1, 1), width=16)
TRAIN, TEST = 96, 16
SEEDS = {"wide": 1, "other": 2}
"""Of the teachers' weights."""
HINT = FeatureMimic(student="body.2", teacher="wide/body.2", adapter="Conv1x1")
_places = itertools.count(1)


def fresh(description: ResNet, seed: int = 0) -> Any:
    """A network of these tests' shapes."""
    framework.start(seed)
    return description.build(gratings.SHAPE, gratings.CLASSES)


def teacher_network(name: str) -> Any:
    """The network that a teacher's program was made of."""
    network = fresh(TEACHER, SEEDS[name])
    network.eval()
    return network


@dataclass
class Prepared:
    """A student before its training."""

    network: Any
    data: Data
    objective: Distilled

    @property
    def batch(self) -> Any:
        """Eight samples to train on."""
        return self.data.training.samples[:8]

    def loss(self, samples: Any = None, progress: float = 0.0) -> Any:
        """Of one batch, with what a step does around it; in evaluation mode, so that nothing moves."""
        samples = self.batch if samples is None else samples
        self.network.eval()
        with self.objective.watching(self.network):
            output = self.network(paddle.to_tensor(self.data.training.split.inputs(samples)))
            return self.objective.loss(output, samples, progress)

    def train(self, epochs: float = 1, *others: Any) -> Any:
        """As a stage does, in batches of 16."""
        course = Course(epochs, Optimizer(learning_rate=3e-3, batch_size=16), 0)
        split, samples = self.data.training.split, self.data.training.samples
        return train(self.network, split, samples, self.objective, course, *others)


@dataclass
class World:
    """A dataset and two teachers in a bucket."""

    server: SeaweedFS
    bucket: str
    folder: Path
    dataset: DatasetInput | None = None
    teachers: dict[str, TeacherInput] = field(default_factory=dict)

    @classmethod
    def make(cls, server: SeaweedFS, bucket: str, folder: Path) -> World:
        """Both teachers: `wide` and `other`, of the same form."""
        world = cls(server, bucket, folder)
        (folder / "data").mkdir()
        for split, count, seed in (("train", TRAIN, 1), ("test", TEST, 2)):
            pixels, labels = gratings.images(count, seed)
            npz.write(folder / f"data/{split}.npz", pixels[:, np.newaxis], labels)
        facts = {
            "inputShape": list(gratings.SHAPE),
            "numClasses": gratings.CLASSES,
            "splits": {"train": TRAIN, "test": TEST},
            "mean": [0.47],
            "std": [0.2],
        }
        data = stages.store_artifact(server, f"{bucket}/data", ArtifactKind.DATASET, folder / "data", facts)
        world.dataset = DatasetInput(uri=data.uri, digest=data.digest)
        for name in SEEDS:
            world.store_teacher(name, teacher_network(name))
        return world

    def store_teacher(self, name: str, network: Any, **facts: Any) -> TeacherInput:
        """A teacher's artifact; `layers={}` is one whose origin recorded no layers."""
        with recorded(network) as layers:
            save_program(network, gratings.SHAPE, self.folder / name / "model")
        described = {LAYERS_FACT: dict(layers), **facts}
        uri, folder = f"{self.bucket}/{name}", self.folder / name
        stored = stages.store_artifact(self.server, uri, ArtifactKind.TEACHER, folder, described)
        self.teachers[name] = TeacherInput(name=name, uri=stored.uri, digest=stored.digest)
        return self.teachers[name]

    def layers(self, name: str) -> dict[str, str]:
        """The tensors that a teacher's layers make, as its manifest has them."""
        manifest = json.loads(self.server.get(f"{self.teachers[name].uri}/manifest.json"))
        return manifest["facts"][LAYERS_FACT]

    def remove(self, name: str) -> None:
        """Take a teacher away."""
        bucket, _, key = self.teachers[name].uri.removeprefix("s3://").partition("/")
        for path in self.server.keys(self.teachers[name].uri):
            self.server.client().delete_object(Bucket=bucket, Key=f"{key}/{path}")

    def cache(self) -> str:
        """A place for outputs that no other test uses."""
        return f"{self.bucket}/outputs-{next(_places)}"

    def distillation(self, *names: str, **changes: Any) -> Distillation:
        """By these teachers, or by `wide`."""
        return Distillation(teachers=tuple(self.teachers[name] for name in names or ("wide",)), **changes)

    def context(self, given: Distillation, **changes: Any) -> StageContext[DistillInput]:
        """Of a fresh pod."""
        student = StudentInput(num_classes=gratings.CLASSES, input_shape=gratings.SHAPE)
        parameters = {"dataset": self.dataset, "student": student, "distillation": given, "epochs": 1}
        return StageContext(
            parameters=DistillInput(**{**parameters, **changes}),
            run=stages.RUN,
            input_hash=digest_of(b"input"),
            scratch=self.folder / f"scratch-{next(_places)}",
            registry_secret=self.folder,
            storage=stages.connect(self.server),
        )

    def prepared(self, given: Distillation, network: Any = None, cache: bool = True) -> Prepared:
        """A student in a fresh pod, ready to be trained."""
        context = self.context(given)
        data = open_data(context, self.dataset)
        network = fresh(STUDENT) if network is None else network
        goal = objective(context, data, "ImageClassification", network, given, cache=cache)
        return Prepared(network, data, goal)

    def opened(self, context: StageContext[Any], name: str) -> Teacher:
        """A teacher, ready to answer."""
        facts = open_data(context, self.dataset).facts
        return TeacherSource(context, "ImageClassification", facts).open(self.teachers[name])
