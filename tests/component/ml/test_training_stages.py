"""The training stages as pods run them: processes on a real S3, from raw files to a candidate."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compression_contract.artifacts import ArtifactKind, ArtifactManifest, ArtifactRef
from compression_contract.base import Frozen
from compression_contract.exitcodes import SIGTERM_CODE, ExitCode
from compression_contract.inputs import (
    DistillInput,
    PreflightInput,
    PrepareDataInput,
    QATInput,
    TrainTeacherInput,
)
from compression_contract.methods import (
    AlphaPoint,
    DatasetInput,
    Distillation,
    Metric,
    Optimizer,
    StudentInput,
    TeacherInput,
)
from support import gratings, stages
from support.seaweed import SeaweedFS

pytestmark = pytest.mark.paddle

STUDENT = StudentInput(arch="mobilenet_v1_tiny", num_classes=gratings.CLASSES, input_shape=gratings.SHAPE)
QUICK = Optimizer(learning_rate=3e-3)


@dataclass
class World:
    """A bucket with a dataset and a teacher, made by the stages themselves."""

    server: SeaweedFS
    bucket: str
    folder: Path
    dataset: DatasetInput | None = None
    teacher: TeacherInput | None = None

    def run(self, name: str, parameters: Frozen, output: bool = True) -> stages.Ended:
        where = f"{self.bucket}/{name}" if output else None
        document = stages.stage_input(parameters, self.server.endpoint, where)
        return stages.run(parameters.stage, self.folder / name, document, self.server.writer)

    def made(self, name: str, parameters: Frozen) -> ArtifactRef:
        ended = self.run(name, parameters)
        assert ended.code == 0, ended.log[-2000:]
        assert ended.result.artifact is not None
        return ended.result.artifact

    def manifest(self, reference: ArtifactRef) -> ArtifactManifest:
        return ArtifactManifest.model_validate_json(self.server.get(f"{reference.uri}/manifest.json"))

    @property
    def distillation(self) -> Distillation:
        points = (AlphaPoint(at=0, value=0.9), AlphaPoint(at=1, value=0.5))
        return Distillation(teachers=(self.teacher,), alpha=points)

    def distill(self, **changes: Any) -> DistillInput:
        given = {
            "dataset": self.dataset,
            "student": STUDENT,
            "distillation": self.distillation,
            "epochs": 2,
            "optimizer": QUICK,
            **changes,
        }
        return DistillInput(**given)


@pytest.fixture(scope="module")
def world(object_store: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("training")
    world = World(object_store, object_store.bucket("training-stages"), folder)
    source = gratings.write_idx(folder / "source")
    data = world.made("data", PrepareDataInput(source=str(source), padding=0))
    world.dataset = DatasetInput(uri=data.uri, digest=data.digest)
    teacher = TrainTeacherInput(dataset=world.dataset, arch="resnet8_s2", epochs=3, optimizer=QUICK)
    reference = world.made("teacher", teacher)
    world.teacher = TeacherInput(name="large", uri=reference.uri, digest=reference.digest)
    return world


@pytest.fixture(scope="module")
def student(world: World) -> ArtifactRef:
    return world.made("student", world.distill())


def preflight(world: World, **changes: Any) -> PreflightInput:
    given = {
        "dataset": world.dataset,
        "teachers": (world.teacher,),
        "num_classes": gratings.CLASSES,
        "input_shape": gratings.SHAPE,
        "metric": Metric(name="top1"),
        "max_samples": 100,
        **changes,
    }
    return PreflightInput(**given)


def test_preflight_measures_a_teacher_that_has_learned(world):
    facts = world.run("preflight", preflight(world), output=False).result.facts
    (measured,) = facts.teachers
    assert (measured.name, measured.samples) == ("large", 100)
    assert measured.value > 2 / gratings.CLASSES


def test_preflight_refuses_a_teacher_of_other_classes(world):
    ended = world.run("classes", preflight(world, num_classes=7), output=False)
    assert (ended.code, ended.reason) == (ExitCode.DATA, "ClassesDiffer")


def test_a_student_is_stored_without_pickles_and_says_what_it_is(world, student):
    manifest = world.manifest(student)
    assert manifest.kind is ArtifactKind.FLOAT_STUDENT
    assert [entry.path for entry in manifest.files] == ["float.onnx", "history.json", "weights.npz"]
    assert manifest.facts["arch"] == STUDENT.arch
    history = json.loads(world.server.get(f"{student.uri}/history.json"))
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    assert history[1]["loss"] < history[0]["loss"]


def test_the_same_training_in_another_pod_gives_the_same_artifact(world, student):
    assert world.made("again", world.distill()).digest == student.digest


def test_qat_under_its_teacher_gives_a_candidate(world, student):
    given = QATInput(
        dataset=world.dataset, source=student, epochs=0.5, learning_rate=5e-4, distillation=world.distillation
    )
    ended = world.run("qat", given)
    assert ended.code == 0, ended.log[-2000:]
    assert ended.result.facts.steps == 8  # half of 540 samples in batches of 32
    assert ended.result.facts.layers == 9
    assert '"message": "epoch done"' in ended.log
    assert world.manifest(ended.result.artifact).facts["method"] == "QAT"


def test_a_training_that_diverges_says_so(world):
    ended = world.run("diverged", world.distill(optimizer=Optimizer(name="SGD", learning_rate=1e6)))
    assert (ended.code, ended.reason) == (ExitCode.DIVERGED, "TrainingDiverged")


def test_sigterm_during_training_ends_in_order(world):
    folder = world.folder / "terminated"
    given = world.distill(epochs=10_000)
    document = stages.stage_input(given, world.server.endpoint, f"{world.bucket}/terminated")
    environment = stages.environment(folder, document, world.server.writer)
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(stages.command("distill"), env=environment, cwd=folder, stderr=log)
        while process.poll() is None and "epoch done" not in (folder / "log").read_text():
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        code = process.wait()
    ended = stages.ended(folder, code, (folder / "log").read_text())
    assert (ended.code, ended.reason) == (SIGTERM_CODE, "Terminated")
    assert world.server.keys(f"{world.bucket}/terminated") == []
