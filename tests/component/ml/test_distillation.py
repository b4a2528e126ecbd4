"""How teachers get into a training: features, adapters, kept outputs.

Mechanics only, on tiny networks and teachers that were never trained: whether distillation helps is for
a run's own gates to say.
"""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.inputs import DistillInput
from compression_contract.methods import (
    AlphaPoint,
    DatasetInput,
    Distillation,
    FeatureMimic,
    Optimizer,
    StudentInput,
    TeacherInput,
)
from compression_jobs import framework
from compression_jobs.context import StageContext
from compression_jobs.errors import InvalidData, InvalidInput, NotFound
from compression_jobs.exporters.program import save_program
from compression_jobs.framework import functional, paddle
from compression_jobs.networks.resnet import ResNet
from compression_jobs.readers import npz
from compression_jobs.training import teacher_outputs
from compression_jobs.training.data import Data, open_data
from compression_jobs.training.inner_tensors import LAYERS_FACT, recorded
from compression_jobs.training.instruction import objective
from compression_jobs.training.loop import Course, train
from compression_jobs.training.objectives import Distilled
from support import gratings, stages
from support.seaweed import SeaweedFS

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]

STUDENT, TEACHER = ResNet((1, 1), width=8), ResNet((1, 1), width=16)
TRAIN, TEST = 96, 16
HINT = FeatureMimic(student="body.2", teacher="wide/body.2", adapter="Conv1x1")
_places = itertools.count(1)


@dataclass
class World:
    """A dataset and two teachers in a bucket."""

    server: SeaweedFS
    bucket: str
    folder: Path
    dataset: DatasetInput | None = None
    teachers: dict[str, TeacherInput] = field(default_factory=dict)

    def cache(self) -> str:
        """A place that no other test uses."""
        return f"{self.bucket}/outputs-{next(_places)}"

    def distillation(self, *names: str, **changes: Any) -> Distillation:
        return Distillation(teachers=tuple(self.teachers[name] for name in names or ("wide",)), **changes)

    def context(self, given: Distillation) -> StageContext[DistillInput]:
        student = StudentInput(num_classes=gratings.CLASSES, input_shape=gratings.SHAPE)
        parameters = DistillInput(dataset=self.dataset, student=student, distillation=given, epochs=1)
        return StageContext(
            parameters=parameters,
            run=stages.RUN,
            input_hash="sha256:" + "0" * 64,
            scratch=self.folder / f"scratch-{next(_places)}",
            registry_secret=self.folder,
            storage=stages.connect(self.server),
        )

    def prepared(self, given: Distillation, network: Any = None, cache: bool = True) -> Prepared:
        context = self.context(given)
        data = open_data(context, self.dataset)
        network = network or fresh(STUDENT)
        return Prepared(
            network,
            data,
            objective(context, data, "ImageClassification", network, given, cache=cache),
        )


@dataclass
class Prepared:
    """A student before its training."""

    network: Any
    data: Data
    objective: Distilled

    def loss(self, samples: Any = None, progress: float = 0.0) -> Any:
        """Of one batch, with what a step does around it; in evaluation mode, so that nothing moves."""
        samples = np.arange(8) if samples is None else samples
        self.network.eval()
        with self.objective.watching(self.network):
            output = self.network(paddle.to_tensor(self.data.training.split.inputs(samples)))
            return self.objective.loss(output, samples, progress)

    def train(self, epochs: float = 1, **other: Any) -> Any:
        course = Course(epochs, Optimizer(learning_rate=3e-3, batch_size=16), 0)
        split, samples = self.data.training.split, self.data.training.samples
        return train(self.network, split, samples, self.objective, course, **other)


def fresh(description: ResNet, seed: int = 0) -> Any:
    framework.start(seed)
    return description.build(gratings.SHAPE, gratings.CLASSES)


@pytest.fixture(scope="module")
def world(object_store: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("distillation")
    world = World(object_store, object_store.bucket("distillation"), folder)
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
    data = stages.store_artifact(
        object_store, f"{world.bucket}/data", ArtifactKind.DATASET, folder / "data", facts
    )
    world.dataset = DatasetInput(uri=data.uri, digest=data.digest)
    for seed, name in enumerate(("wide", "other"), start=1):
        network = fresh(TEACHER, seed)
        with recorded(network) as layers:
            save_program(network, gratings.SHAPE, folder / name / "model")
        stored = store_teacher(world, name, {LAYERS_FACT: dict(layers)})
        world.teachers[name] = TeacherInput(name=name, uri=stored.uri, digest=stored.digest)
    return world


def store_teacher(world: World, name: str, facts: dict[str, Any], place: str = "") -> ArtifactRef:
    uri = f"{world.bucket}/{place or name}"
    return stages.store_artifact(world.server, uri, ArtifactKind.TEACHER, world.folder / name, facts)


def teacher_network(name: str) -> Any:
    network = fresh(TEACHER, {"wide": 1, "other": 2}[name])
    network.eval()
    return network


def test_the_loss_is_what_the_papers_say(world):
    """(1 - alpha) CE + alpha T^2 KL + weight * ||adapter(student) - teacher||^2, all from the networks."""
    alpha = (AlphaPoint(at=0, value=0.2), AlphaPoint(at=1, value=0.8))
    hint = HINT.model_copy(update={"weight": 0.5})
    prepared = world.prepared(world.distillation(alpha=alpha, temperature=3.0, features=(hint,)))
    samples = prepared.data.training.samples[:8]
    inputs = paddle.to_tensor(prepared.data.training.split.inputs(samples))
    labels = paddle.to_tensor(prepared.data.training.split.targets(samples)["labels"])
    teacher, student = teacher_network("wide"), prepared.network
    student.eval()
    wanted, logits = teacher(inputs), student(inputs)
    (adapter,) = prepared.objective.layers().values()
    distance = functional.kl_div(
        functional.log_softmax(logits / 3.0), functional.softmax(wanted / 3.0), reduction="batchmean"
    )
    imitation = functional.mse_loss(adapter(student.body[:3](inputs)), teacher.body[:3](inputs))
    expected = 0.65 * functional.cross_entropy(logits, labels) + 0.35 * 9 * distance + 0.5 * imitation
    assert float(prepared.loss(samples, progress=0.25)) == pytest.approx(float(expected), rel=1e-4)


def test_without_the_square_of_the_temperature_teachers_count_less(world):
    only_teachers = {"alpha": (AlphaPoint(at=0, value=1.0),), "temperature": 3.0}
    scaled = world.prepared(world.distillation(**only_teachers))
    plain = world.prepared(world.distillation(**only_teachers, scale_by_temperature_squared=False))
    samples = scaled.data.training.samples[:8]
    assert float(scaled.loss(samples)) == pytest.approx(9 * float(plain.loss(samples)), rel=1e-5)


@pytest.mark.parametrize("features", [(), (HINT,)])
@pytest.mark.parametrize("combine", ["WeightedMean", "ConfidenceWeighted"])
def test_kept_outputs_teach_what_teachers_say_at_the_time(world, combine, features):
    given = world.distillation("wide", "other", combine=combine, features=features)
    samples = np.array([70, 3, 41, 5])
    losses = []
    for cache in (True, False):
        prepared = world.prepared(given, cache=cache)
        samples = prepared.data.training.samples[[60, 3, 41, 5]]
        losses.append(float(prepared.loss(samples)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_features_change_gradients_up_to_their_layer_and_not_behind(world):
    def gradients(features):
        prepared = world.prepared(world.distillation(features=features))
        prepared.loss(prepared.data.training.samples[:8]).backward()
        return {
            name: tensor.grad.numpy()
            for name, tensor in prepared.network.named_parameters()
            if not tensor.stop_gradient
        }

    without, hinted = gradients(()), gradients((HINT,))
    changed = {name for name in without if not np.allclose(without[name], hinted[name], atol=1e-7)}
    assert {name for name in changed if name.startswith(("body.0", "body.1", "body.2"))}
    assert not {name for name in changed if name.startswith("head")}


def test_adapters_are_trained_and_never_part_of_the_student(world, tmp_path):
    prepared = world.prepared(world.distillation(features=(HINT,)))
    (adapter,) = prepared.objective.layers().values()
    before, names = adapter.weight.numpy().copy(), set(prepared.network.state_dict())
    prepared.train()
    assert not np.allclose(before, adapter.weight.numpy())
    assert set(prepared.network.state_dict()) == names == set(fresh(STUDENT).state_dict())
    save_program(prepared.network, gratings.SHAPE, tmp_path / "student")
    program = paddle.jit.load(str(tmp_path / "student"))
    assert sum(tensor.numel() for tensor in program.parameters()) == sum(
        tensor.numel() for tensor in prepared.network.state_dict().values()
    )


def test_after_training_nothing_watches_the_student(world):
    prepared = world.prepared(world.distillation(features=(HINT,)))
    prepared.train(0.2)
    assert prepared.objective.taps.input is None
    prepared.network(paddle.to_tensor(prepared.data.test.split.inputs(np.arange(2))))
    assert prepared.objective.taps.features == {}


def test_kept_outputs_are_found_again_and_no_teacher_is_asked(world, caplog):
    """Proven by taking the teacher away: what was kept is all that a second run needs."""
    gone = store_teacher(world, "wide", {LAYERS_FACT: layers_of(world, "wide"), "copy": 1}, "gone")
    world.teachers["gone"] = TeacherInput(name="gone", uri=gone.uri, digest=gone.digest)
    hint = HINT.model_copy(update={"teacher": "gone/body.2"})
    given = world.distillation("gone", cache=world.cache(), features=(hint,))
    first = world.prepared(given)
    client = world.server.client(world.server.writer)
    for key in world.server.keys(gone.uri):
        client.delete_object(Bucket="distillation", Key=f"gone/{key}")
    second = world.prepared(given)
    samples = first.data.training.samples[:8]
    assert float(second.loss(samples)) == float(first.loss(samples))
    with pytest.raises(NotFound):
        world.prepared(given.model_copy(update={"cache": world.cache()}))


def layers_of(world: World, name: str) -> dict[str, str]:
    manifest = json.loads(world.server.get(f"{world.teachers[name].uri}/manifest.json"))
    return manifest["facts"][LAYERS_FACT]


def test_kept_outputs_are_raw_arrays_with_a_manifest(world):
    given = world.distillation(cache=world.cache())
    world.prepared(given)
    keys = world.server.keys(given.cache)
    entry = keys[0].split("/")[0]
    digest = world.server.get(f"{given.cache}/{entry}/_SUCCESS").decode()
    place = f"{entry}/{digest.removeprefix('sha256:')}"
    assert sorted(keys) == sorted(
        [
            f"{entry}/_SUCCESS",
            *(f"{place}/{name}" for name in ("_SUCCESS", "manifest.json", "rows-00000.npy")),
        ]
    )
    manifest = json.loads(world.server.get(f"{given.cache}/{place}/manifest.json"))
    assert manifest["kind"] == "TeacherOutputs"
    assert manifest["facts"]["key"]["teacher"] == world.teachers["wide"].digest


def test_another_temperature_or_combination_uses_the_same_outputs(world):
    given = world.distillation(cache=world.cache())
    world.prepared(given)
    before = world.server.keys(given.cache)
    world.prepared(given.model_copy(update={"temperature": 9.0, "combine": "ConfidenceWeighted"}))
    assert world.server.keys(given.cache) == before
    world.prepared(given.model_copy(update={"features": (HINT,)}))
    assert set(before) < set(world.server.keys(given.cache))


def test_of_two_writers_both_go_on_with_what_the_first_one_kept(world):
    """Two processors may round otherwise; here the second one's teacher is another one altogether."""
    stores = []
    for name in ("wide", "other"):
        given = world.distillation(name, cache=f"{world.bucket}/race")
        prepared = world.prepared(given.model_copy(update={"cache": None}))
        context = world.context(given)
        samples = teacher_outputs.Samples(
            prepared.data.training.split, prepared.data.training.samples, world.dataset.digest, "npz", "train"
        )
        store = teacher_outputs.OutputStore(context, samples, given.cache)
        key = samples.key(world.teachers["wide"].digest, "")
        stores.append(store.compute(opened(world, context, name), {"": key})[""])
    rows = prepared.data.training.samples
    assert np.array_equal(stores[0].of(rows), stores[1].of(rows))


def opened(world, context, name):
    from compression_jobs.training.instruction import TeacherSource  # noqa: PLC0415

    facts = open_data(context, world.dataset).facts
    return TeacherSource(context, "ImageClassification", facts).open(world.teachers[name])


@pytest.mark.parametrize("file", ["rows-00000.npy", "manifest.json"])
def test_damaged_outputs_are_computed_again_and_mended(world, file, caplog):
    given = world.distillation(cache=world.cache())
    good = world.prepared(given)
    (uri,) = [f"{given.cache}/{key}" for key in world.server.keys(given.cache) if key.endswith(file)]
    data = world.server.get(uri)
    world.server.put(uri, data[:-4] + b"\x00\x00\x80\x7f")
    with caplog.at_level(logging.WARNING):
        again = world.prepared(given)
    assert "kept outputs cannot be used" in caplog.text
    samples = good.data.training.samples[:8]
    assert float(again.loss(samples)) == float(good.loss(samples))
    assert world.server.get(uri) == data


def test_features_that_are_too_large_are_computed_batch_by_batch(world, monkeypatch, caplog):
    given = world.distillation(cache=world.cache(), features=(HINT,))
    kept = world.prepared(given.model_copy(update={"cache": None}))
    monkeypatch.setattr(teacher_outputs, "MAX_BYTES", 4 * TRAIN * gratings.CLASSES)
    with caplog.at_level(logging.INFO):
        mixed = world.prepared(given)
    assert "too large" in caplog.text
    assert not mixed.objective.soft.needs_inputs
    assert mixed.objective.imitations[0].lesson.needs_inputs
    samples = kept.data.training.samples[:8]
    assert float(mixed.loss(samples)) == pytest.approx(float(kept.loss(samples)), rel=1e-5)


def test_a_program_of_somebody_else_names_its_tensors(world):
    foreign = store_teacher(world, "wide", {}, "foreign")
    world.teachers["foreign"] = TeacherInput(name="foreign", uri=foreign.uri, digest=foreign.digest)
    tensor = layers_of(world, "wide")["body.2"]
    by_tensor = world.prepared(
        world.distillation("foreign", features=(HINT.model_copy(update={"teacher": f"foreign/{tensor}"}),))
    )
    by_layer = world.prepared(world.distillation(features=(HINT,)))
    samples = by_layer.data.training.samples[:8]
    assert float(by_tensor.loss(samples)) == pytest.approx(float(by_layer.loss(samples)), rel=1e-6)


@pytest.mark.parametrize(
    ("feature", "reason", "words"),
    [
        ({"student": "body.9"}, "LayerUnknown", ["The student", "'body.9'", "body.2"]),
        ({"teacher": "wide/body.9"}, "LayerUnknown", ["The teacher", "'body.9'", "body.2"]),
        ({"adapter": "None"}, "LayersDiffer", ["[16, 8, 8]", "[32, 8, 8]", "use adapter: Conv1x1"]),
        ({"adapter": "Linear"}, "LayersDiffer", ["use adapter: Conv1x1"]),
        ({"student": "body.1"}, "LayersDiffer", ["[8, 16, 16]", "number of positions"]),
        (
            {"student": "head", "adapter": "Linear"},
            "LayersDiffer",
            ["two maps, two sequences or two vectors"],
        ),
    ],
)
def test_layers_that_do_not_fit_are_told_before_training(world, feature, reason, words):
    with pytest.raises(InvalidInput) as caught:
        world.prepared(world.distillation(features=(HINT.model_copy(update=feature),)))
    assert caught.value.reason == reason
    for word in words:
        assert word in caught.value.message
    assert len(caught.value.message) <= 512


def test_attention_needs_no_adapter(world):
    feature = FeatureMimic(student="body.2", teacher="wide/body.2", loss="Attention")
    prepared = world.prepared(world.distillation(features=(feature,)))
    assert prepared.objective.layers() == {}
    assert np.isfinite(float(prepared.loss(prepared.data.training.samples[:8])))


def test_a_teacher_of_another_form_is_refused(world, tmp_path):
    framework.start(0)
    narrow = ResNet((1,), width=8).build(gratings.SHAPE, gratings.CLASSES - 1)
    save_program(narrow, gratings.SHAPE, world.folder / "narrow/model")
    stored = store_teacher(world, "narrow", {})
    world.teachers["narrow"] = TeacherInput(name="narrow", uri=stored.uri, digest=stored.digest)
    with pytest.raises(InvalidData) as caught:
        world.prepared(world.distillation("narrow"))
    assert caught.value.reason == "ClassesDiffer"
