"""Every task has teachers: measured by its own metric before any training, then imitated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from compression_contract.artifacts import ArtifactKind
from compression_contract.base import digest_of
from compression_contract.inputs import DistillInput, PreflightInput
from compression_contract.methods import (
    AlphaPoint,
    DatasetInput,
    Distillation,
    FeatureMimic,
    Metric,
    Optimizer,
    StudentInput,
    TeacherInput,
)
from compression_jobs import framework, metrics, networks
from compression_jobs.context import StageContext
from compression_jobs.errors import InvalidInput
from compression_jobs.exporters.program import save_program
from compression_jobs.readers.packing import pack
from compression_jobs.stages import preflight
from compression_jobs.tasks import task
from compression_jobs.training.data import open_data
from compression_jobs.training.inner_tensors import LAYERS_FACT, recorded
from compression_jobs.training.instruction import objective
from compression_jobs.training.loop import Course, predict, train
from support import datasets, stages
from support.seaweed import SeaweedFS

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

SPLITS = {"train": 40, "test": 8}


@dataclass(frozen=True)
class Kind:
    """A task with networks for it."""

    task: str
    arch: str
    metric: str
    hint: FeatureMimic
    facts: dict[str, Any]
    write: Any
    """Writes a split of so many samples."""


def boards(folder, split, count):
    images = [{"id": n, "file_name": f"{n}.png", "width": 32, "height": 32} for n in range(count)]
    boxes = [
        {"id": n, "image_id": n, "category_id": 1 + n % 2, "bbox": [4, 4, 9, 9], "area": 81, "iscrowd": 0}
        for n in range(count)
    ]
    categories = [{"id": 1, "name": "open"}, {"id": 2, "name": "short"}]
    document = {"images": images, "annotations": boxes, "categories": categories}
    (folder / f"{split}.json").write_text(json.dumps(document))
    pack(folder, split, [(f"{n}.png", datasets.grey(40 + n, 32, 32)) for n in range(count)])


def lines(folder, split, count):
    rows = [f"{n}.png\t{'ab'[n % 2]}{'ba'[n // 2 % 2]}" for n in range(count)]
    (folder / f"{split}.txt").write_text("\n".join(rows) + "\n")
    pack(folder, split, [(f"{n}.png", datasets.grey(40 + n, 16, 32)) for n in range(count)])


def texts(folder, split, count):
    (folder / "vocabulary.txt").write_text("\n".join(["pad", "unk", *"abcdefgh"]))
    rows = [{"text": " ".join("abcdefgh"[n % 8 :]), "label": n % 2} for n in range(count)]
    (folder / f"{split}.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")


GREY = {"mean": [0.5], "std": [0.5], "splits": SPLITS}
KINDS = [
    Kind(
        "ObjectDetection",
        "centernet_tiny",
        "mAP50",
        FeatureMimic(student="HEAD", teacher="teacher/HEAD", loss="Attention"),
        {"reader": "coco", "inputShape": [1, 32, 32], "numClasses": 2, "targets": "Boxes", **GREY},
        boards,
    ),
    Kind(
        "OCRRecognition",
        "ctc_conv_tiny",
        "CER",
        FeatureMimic(student="HEAD", teacher="teacher/HEAD"),
        {
            "reader": "ocr-list",
            "inputShape": [1, 16, 32],
            "numClasses": 2,
            "targets": "Symbols",
            "alphabet": ["a", "b"],
            **GREY,
        },
        lines,
    ),
    Kind(
        "TextClassification",
        "text_cnn_tiny",
        "top1",
        FeatureMimic(student="HEAD", teacher="teacher/HEAD", adapter="Conv1x1"),
        {
            "reader": "text",
            "inputShape": [8],
            "inputType": "int64",
            "numClasses": 2,
            "vocabulary": 10,
            "splits": SPLITS,
        },
        texts,
    ),
]


@dataclass
class Taught:
    """A dataset of a task and a teacher that was never trained, in a bucket."""

    kind: Kind
    dataset: DatasetInput
    teacher: TeacherInput
    network: Any
    context: Any

    def preflight(self, metric):
        facts = self.kind.facts
        return preflight.run(
            self.context(
                PreflightInput(
                    task=self.kind.task,
                    dataset=self.dataset,
                    teachers=(self.teacher,),
                    num_classes=facts["numClasses"],
                    input_shape=facts["inputShape"],
                    metric=Metric(name=metric),
                )
            )
        )


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.task)
def taught(request, object_store: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> Taught:
    kind, folder = request.param, tmp_path_factory.mktemp("taught")
    bucket = object_store.bucket(f"taught-{kind.task.lower()}")
    (folder / "data").mkdir()
    for split, count in SPLITS.items():
        kind.write(folder / "data", split, count)
    data = stages.store_artifact(
        object_store, f"{bucket}/data", ArtifactKind.DATASET, folder / "data", kind.facts
    )
    framework.start(1)
    shape = tuple(kind.facts["inputShape"])
    network = networks.build(kind.arch, shape, kind.facts["numClasses"])
    with recorded(network) as layers:
        save_program(network, shape, folder / "teacher/model", kind.facts.get("inputType", "float32"))
    teacher = stages.store_artifact(
        object_store,
        f"{bucket}/teacher",
        ArtifactKind.TEACHER,
        folder / "teacher",
        {LAYERS_FACT: dict(layers)},
    )

    def context(parameters):
        return StageContext(
            parameters=parameters,
            run=stages.RUN,
            input_hash=digest_of(b"input"),
            scratch=tmp_path_factory.mktemp("scratch"),
            registry_secret=folder,
            storage=stages.connect(object_store),
        )

    return Taught(
        kind,
        DatasetInput(uri=data.uri, digest=data.digest, reader=kind.facts["reader"]),
        TeacherInput(name="teacher", uri=teacher.uri, digest=teacher.digest),
        network,
        context,
    )


def test_a_teacher_is_measured_by_the_task_s_metric(taught):
    facts = taught.preflight(taught.kind.metric).facts
    (measured,) = facts.teachers
    data = open_data(taught.context(facts), taught.dataset)
    every = np.arange(SPLITS["test"])
    judge = task(taught.kind.task, data.facts)
    answers = judge.judge(predict(taught.network, data.test.split, every), data.test.split.targets(every))
    chosen = metrics.choose([Metric(name=taught.kind.metric)], judge.metrics, data.facts.num_classes)
    assert facts.metric == taught.kind.metric
    assert measured.samples == SPLITS["test"]
    assert measured.value == pytest.approx(metrics.point(chosen, taught.kind.metric, answers), abs=1e-5)


def test_a_metric_of_another_task_is_refused(taught):
    other = "CER" if taught.kind.metric != "CER" else "mAP"
    with pytest.raises(InvalidInput) as caught:
        taught.preflight(other)
    assert caught.value.reason == "MetricUnknown"


@pytest.mark.parametrize("cache", [True, False])
def test_a_student_imitates_it(taught, cache):
    facts = taught.kind.facts
    shape, classes = tuple(facts["inputShape"]), facts["numClasses"]
    framework.start(2)
    student = networks.build(taught.kind.arch, shape, classes)
    layer = next(
        path for path, found in reversed(list(student.named_sublayers())) if type(found).__name__ == "ReLU"
    )
    hint = taught.kind.hint.model_copy(update={"student": layer, "teacher": f"teacher/{layer}"})
    given = Distillation(
        teachers=(taught.teacher,), features=(hint,), alpha=(AlphaPoint(at=0, value=1.0),), temperature=2
    )
    parameters = DistillInput(
        task=taught.kind.task,
        dataset=taught.dataset,
        student=StudentInput(num_classes=classes, input_shape=shape),
        distillation=given,
        epochs=1,
    )
    context = taught.context(parameters)
    data = open_data(context, taught.dataset)
    goal = objective(context, data, taught.kind.task, student, given, cache=cache)
    course = Course(4, Optimizer(learning_rate=3e-3, batch_size=8), 0)
    history = train(student, data.training.split, data.training.samples, goal, course)
    assert history.epochs[-1].loss < history.epochs[0].loss
