"""The three ways to train that are compared, and what they share."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compression_contract.base import digest_of
from compression_contract.inputs import RunRef
from compression_contract.methods import AlphaPoint, Distillation, FeatureMimic, Optimizer, TeacherInput
from compression_jobs import framework, networks
from compression_jobs.context import StageContext
from compression_jobs.exporters.program import save_program
from compression_jobs.framework import functional, paddle
from compression_jobs.losses.supervision.classification import Classification
from compression_jobs.readers.npz import ImageSplit
from compression_jobs.training import imitations, teaching
from compression_jobs.training.inner_tensors import recorded
from compression_jobs.training.loop import Course, train
from compression_jobs.training.objectives import Distilled
from compression_jobs.training.taps import shapes
from compression_jobs.training.teacher_outputs import OutputStore, Samples
from compression_jobs.training.teachers import OUTPUT, Teacher

SHAPE, CLASSES, COUNT, BATCH = (1, 32, 32), 10, 512, 32
RATE = 1e-3
SEED = 0


@dataclass(frozen=True)
class Setting:
    """A student, its data, and both objectives of its teacher."""

    student: str
    data: ImageSplit
    kept: Distilled
    asked: Distilled
    teacher_seconds: float
    """To compute all outputs that are kept."""

    @classmethod
    def make(cls, student: str, teacher: str, folder: Path, *, features: str) -> Setting:
        """Random images and an untrained teacher: neither changes what a step costs."""
        random = np.random.default_rng(SEED)
        pixels = random.integers(0, 256, (COUNT, *SHAPE), dtype=np.uint8)
        scale = np.full((1, 1, 1), 128, np.float32)
        data = ImageSplit(pixels, random.integers(0, CLASSES, COUNT), scale, scale)
        framework.start(SEED)
        network = networks.build(teacher, SHAPE, CLASSES)
        with recorded(network) as layers:
            save_program(network, SHAPE, folder / "model")
        given = _instruction(features)

        def opened(_given: TeacherInput, wanted: Any) -> Teacher:
            return Teacher("teacher", folder, (CLASSES,), wanted, layers)

        start = time.monotonic()
        store = _store(data, folder)
        asked_for = [feature.teacher.partition("/")[2] for feature in given.features]
        kept = teaching.kept_or_live(store, opened, given.teachers[0], asked_for)
        seconds = time.monotonic() - start
        asked = teaching.live(store, opened, given.teachers[0], asked_for)
        before = _objective(student, store, given, kept)
        return cls(student, data, before, _objective(student, store, given, asked), seconds)

    def network(self) -> Any:
        """The student with fresh weights."""
        framework.start(SEED)
        return networks.build(self.student, SHAPE, CLASSES)


def bare(setting: Setting, steps: int) -> None:
    """What somebody writes who wants to train this network on labels, and nothing else."""
    network, data = setting.network(), setting.data
    rate = paddle.optimizer.lr.CosineAnnealingDecay(RATE, steps)
    adam = paddle.optimizer.Adam(rate, parameters=network.parameters())
    order = np.random.RandomState(SEED).permutation(COUNT)
    network.train()
    for step in range(steps):
        batch = order[(step * BATCH) % COUNT :][:BATCH]
        loss = functional.cross_entropy(
            network(paddle.to_tensor(data.inputs(batch))), paddle.to_tensor(data.labels[batch])
        )
        loss.backward()
        adam.step()
        adam.clear_grad()
        rate.step()


def kept(setting: Setting, steps: int) -> None:
    """A distillation whose teacher has answered before."""
    _distil(setting, setting.kept, steps)


def asked(setting: Setting, steps: int) -> None:
    """A distillation whose teacher answers every batch."""
    _distil(setting, setting.asked, steps)


def _distil(setting: Setting, objective: Distilled, steps: int) -> None:
    course = Course(steps * BATCH / COUNT, Optimizer(learning_rate=RATE, batch_size=BATCH), SEED)
    train(setting.network(), setting.data, np.arange(COUNT), objective, course)


def _instruction(features: str) -> Distillation:
    digest = digest_of(b"teacher")
    teacher = TeacherInput(name="teacher", uri="s3://bench/teacher", digest=digest)
    student, _, taught = features.partition("=")
    hint = FeatureMimic(student=student or "-", teacher=f"teacher/{taught}", adapter="Conv1x1")
    points = (AlphaPoint(at=0, value=0.9), AlphaPoint(at=1, value=0.5))
    return Distillation(teachers=(teacher,), alpha=points, features=(hint,) if features else ())


def _store(data: ImageSplit, folder: Path) -> OutputStore:
    run = RunRef(namespace="bench", name="bench", uid="0")
    context: Any = StageContext(None, run, digest_of(b""), folder / "scratch", folder)
    samples = Samples(data, np.arange(COUNT), digest_of(b"data"), "npz", "train")
    return OutputStore(context, samples, None)


def _objective(student: str, store: OutputStore, given: Distillation, taught: Any) -> Distilled:
    framework.start(SEED)
    network = networks.build(student, SHAPE, CLASSES)
    layers = [feature.student for feature in given.features]
    _, found = shapes(network, store.samples.split.inputs(np.arange(1)), layers)
    return Distilled(
        supervision=Classification(),
        split=store.samples.split,
        soft=teaching.mixture(store, Classification(), given, [taught[OUTPUT]]),
        temperature=given.temperature,
        scale_by_temperature_squared=True,
        alpha=given.alpha,
        imitations=imitations.build(given.features, found, {"teacher": taught}),
    )
