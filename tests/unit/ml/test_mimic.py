"""Losses between layers, against their formulas in NumPy, and which layers can be compared at all."""

import numpy as np
import pytest

from compression_jobs.errors import InvalidInput
from compression_jobs.framework import paddle
from compression_jobs.losses import adapters
from compression_jobs.losses.mimic import MIMICS
from compression_jobs.training.imitations import teacher_and_layer

pytestmark = pytest.mark.paddle

MAPS = (4, 3, 5, 6)
SEQUENCES = (4, 7, 3)
VECTORS = (4, 8)


def features(shape, seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(np.float32) for _ in range(2)]


def channel_axis(shape):
    return 1 if len(shape) == 4 else -1


def l2(student, teacher):
    return np.mean((student - teacher) ** 2)


def l1(student, teacher):
    return np.mean(np.abs(student - teacher))


def cosine(student, teacher):
    axis = channel_axis(student.shape)
    lengths = np.linalg.norm(student, axis=axis) * np.linalg.norm(teacher, axis=axis)
    return 1 - np.mean((student * teacher).sum(axis) / lengths)


def attention(student, teacher):
    def scaled(feature):
        energy = (feature**2).sum(channel_axis(feature.shape)).reshape(len(feature), -1)
        return energy / np.linalg.norm(energy, axis=1, keepdims=True)

    return np.mean(np.sum((scaled(student) - scaled(teacher)) ** 2, axis=1))


@pytest.mark.parametrize(
    ("name", "formula", "shape"),
    [
        (name, formula, shape)
        for name, formula in (("L2", l2), ("L1", l1), ("Cosine", cosine), ("Attention", attention))
        for shape in (MAPS, SEQUENCES, VECTORS)
        if (name, shape) != ("Attention", VECTORS)
    ],
)
def test_a_loss_is_what_its_formula_says(name, formula, shape):
    student, teacher = features(shape)
    found = MIMICS[name].loss(paddle.to_tensor(student), paddle.to_tensor(teacher))
    assert float(found) == pytest.approx(formula(student, teacher), rel=1e-5)


@pytest.mark.parametrize("name", sorted(MIMICS))
def test_equal_features_cost_nothing(name):
    student, _ = features(MAPS)
    tensor = paddle.to_tensor(student)
    assert float(MIMICS[name].loss(tensor, tensor)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", sorted(MIMICS))
def test_a_dead_layer_gives_finite_gradients(name):
    """ReLU may leave nothing: lengths are zero then, and a quotient must not become NaN."""
    student = paddle.zeros(MAPS)
    student.stop_gradient = False
    MIMICS[name].loss(student, paddle.to_tensor(features(MAPS)[1])).backward()
    assert np.isfinite(student.grad.numpy()).all()


def test_attention_does_not_ask_for_equal_widths():
    (wide, _), (narrow, _) = features((4, 9, 5, 6)), features(MAPS)
    assert MIMICS["Attention"].mismatch(wide.shape[1:], narrow.shape[1:]) == ""
    assert float(MIMICS["Attention"].loss(paddle.to_tensor(wide), paddle.to_tensor(narrow))) > 0


@pytest.mark.parametrize(
    ("name", "student", "teacher", "comparable"),
    [
        ("L2", (3, 5, 6), (3, 5, 6), True),
        ("L2", (3, 5, 6), (4, 5, 6), False),
        ("L1", (7, 3), (7, 4), False),
        ("Cosine", (8,), (9,), False),
        ("Attention", (3, 5, 6), (4, 5, 6), True),
        ("Attention", (3, 5, 6), (3, 6, 6), False),
        ("Attention", (7, 3), (7, 9), True),
        ("Attention", (8,), (8,), False),
    ],
)
def test_what_can_be_compared(name, student, teacher, comparable):
    assert (MIMICS[name].mismatch(student, teacher) == "") is comparable


@pytest.mark.parametrize(
    ("kind", "student", "teacher"),
    [
        ("Conv1x1", (3, 5, 6), (8, 5, 6)),
        ("Conv1x1", (3, 5, 6), (8, 2, 2)),
        ("Linear", (7, 3), (7, 9)),
        ("Linear", (8,), (2,)),
        ("Linear", (8,), (4, 5, 6)),
        ("None", (3, 5, 6), (8, 5, 6)),
    ],
)
def test_an_adapter_gives_the_shape_that_it_promises(kind, student, teacher):
    layer = adapters.build(kind, "adapter0", student, teacher)
    given = paddle.zeros((2, *student))
    found = given if layer is None else layer(given)
    assert tuple(found.shape[1:]) == adapters.adapted(kind, student, teacher)


@pytest.mark.parametrize(
    ("kind", "student", "other"), [("Conv1x1", (7, 3), "Linear"), ("Linear", (3, 5, 6), "Conv1x1")]
)
def test_an_adapter_for_another_kind_of_feature_names_the_right_one(kind, student, other):
    with pytest.raises(ValueError, match=f"adapter: {other}"):
        adapters.adapted(kind, student, (9, 9, 9))


@pytest.mark.parametrize(
    ("student", "teacher", "fitting"),
    [
        ((3, 5, 6), (8, 5, 6), "Conv1x1"),
        ((7, 3), (7, 9), "Linear"),
        ((8,), (2,), "Linear"),
        ((3, 5, 6), (8, 2, 2), ""),
        ((8,), (8, 2, 2), ""),
    ],
)
def test_the_adapter_that_fits(student, teacher, fitting):
    assert adapters.fitting(student, teacher) == fitting


def test_adapters_have_parameters_of_their_own_names():
    names = [
        parameter.name
        for place in range(2)
        for parameter in adapters.build("Linear", f"adapter{place}", (8,), (2,)).parameters()
    ]
    assert len(set(names)) == 4


@pytest.mark.parametrize(
    ("written", "teachers", "expected"),
    [
        ("big/body.3", ["big", "wide"], ("big", "body.3")),
        ("big/a/b", ["big"], ("big", "a/b")),
        ("body.3", ["big"], ("big", "body.3")),
    ],
)
def test_a_teacher_s_layer_is_named_with_its_teacher(written, teachers, expected):
    assert teacher_and_layer(written, teachers) == expected


@pytest.mark.parametrize("written", ["body.3", "other/body.3"])
def test_a_layer_of_nobody_is_refused(written):
    with pytest.raises(InvalidInput, match="big, wide") as caught:
        teacher_and_layer(written, ["wide", "big"])
    assert caught.value.reason == "LayerUnknown"
