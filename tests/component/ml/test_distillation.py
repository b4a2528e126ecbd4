"""How teachers get into a training: losses, inner layers, adapters.

Mechanics only, on tiny networks and teachers that were never trained: whether distillation helps is for a
run's own gates to say.
"""

from __future__ import annotations

import numpy as np
import pytest

from compression_contract.methods import AlphaPoint, FeatureMimic
from compression_jobs import framework
from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.exporters.program import save_program
from compression_jobs.framework import functional, paddle
from compression_jobs.networks.resnet import ResNet
from support import gratings
from support.teaching import HINT, STUDENT, fresh, teacher_network

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]


def test_the_loss_is_what_the_papers_say(world):
    """(1 - alpha) CE + alpha T^2 KL + weight * ||adapter(student) - teacher||^2, all from the networks."""
    alpha = (AlphaPoint(at=0, value=0.2), AlphaPoint(at=1, value=0.8))
    hint = HINT.model_copy(update={"weight": 0.5})
    prepared = world.prepared(world.distillation(alpha=alpha, temperature=3.0, features=(hint,)))
    split = prepared.data.training.split
    inputs = paddle.to_tensor(split.inputs(prepared.batch))
    labels = paddle.to_tensor(split.targets(prepared.batch)["labels"])
    teacher, student = teacher_network("wide"), prepared.network
    student.eval()
    wanted, logits = teacher(inputs), student(inputs)
    (adapter,) = prepared.objective.layers().values()
    distance = functional.kl_div(
        functional.log_softmax(logits / 3.0), functional.softmax(wanted / 3.0), reduction="batchmean"
    )
    imitation = functional.mse_loss(adapter(student.body[:3](inputs)), teacher.body[:3](inputs))
    expected = 0.65 * functional.cross_entropy(logits, labels) + 0.35 * 9 * distance + 0.5 * imitation
    assert float(prepared.loss(progress=0.25)) == pytest.approx(float(expected), rel=1e-4)


def test_without_the_square_of_the_temperature_teachers_count_less(world):
    only_teachers = {"alpha": (AlphaPoint(at=0, value=1.0),), "temperature": 3.0}
    scaled = world.prepared(world.distillation(**only_teachers))
    plain = world.prepared(world.distillation(**only_teachers, scale_by_temperature_squared=False))
    assert float(scaled.loss()) == pytest.approx(9 * float(plain.loss()), rel=1e-5)


def test_teachers_of_different_kinds_teach_together(world):
    world.store_teacher("shallow", fresh(ResNet((1,), width=8), 3))
    both = world.prepared(world.distillation("wide", "shallow", alpha=(AlphaPoint(at=0, value=1.0),)))
    alone = world.prepared(world.distillation("wide", alpha=(AlphaPoint(at=0, value=1.0),)))
    assert np.isfinite(float(both.loss()))
    assert float(both.loss()) != pytest.approx(float(alone.loss()), rel=1e-3)


def test_features_change_gradients_up_to_their_layer_and_not_behind(world):
    def gradients(features):
        prepared = world.prepared(world.distillation(features=features))
        prepared.loss().backward()
        named = prepared.network.named_parameters()
        return {name: tensor.grad.numpy() for name, tensor in named if not tensor.stop_gradient}

    without, hinted = gradients(()), gradients((HINT,))
    changed = {name for name in without if not np.allclose(without[name], hinted[name], atol=1e-7)}
    assert {name for name in changed if name.startswith(("body.0", "body.1", "body.2"))}
    assert not {name for name in changed if name.startswith("head")}


@pytest.mark.parametrize("loss", ["L1", "L2", "Cosine", "Attention"])
def test_every_loss_of_layers_trains(world, loss):
    prepared = world.prepared(world.distillation(features=(HINT.model_copy(update={"loss": loss}),)))
    (adapter,) = prepared.objective.layers().values()
    prepared.loss().backward()
    assert np.abs(adapter.weight.grad.numpy()).max() > 0


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


def test_a_program_of_somebody_else_names_its_tensors(world):
    world.store_teacher("foreign", teacher_network("wide"), layers={})
    tensor = world.layers("wide")["body.2"]
    hint = HINT.model_copy(update={"teacher": f"foreign/{tensor}"})
    by_tensor = world.prepared(world.distillation("foreign", features=(hint,)))
    by_layer = world.prepared(world.distillation(features=(HINT,)))
    assert float(by_tensor.loss()) == pytest.approx(float(by_layer.loss()), rel=1e-6)


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
    assert np.isfinite(float(prepared.loss()))


def test_a_teacher_of_other_classes_is_refused(world):
    framework.start(0)
    world.store_teacher("narrow", ResNet((1,), width=8).build(gratings.SHAPE, gratings.CLASSES - 1))
    with pytest.raises(InvalidData) as caught:
        world.prepared(world.distillation("narrow"))
    assert caught.value.reason == "ClassesDiffer"
