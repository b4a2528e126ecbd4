"""Distillation as arithmetic: schedules, mixtures of teachers, temperature; against formulas in NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compression_contract.methods import AlphaPoint
from compression_jobs.framework import paddle
from compression_jobs.losses.alpha import alpha_at
from compression_jobs.losses.distillation import weighted
from compression_jobs.losses.supervision import COMBINATIONS
from compression_jobs.losses.supervision.classification import Classification

pytestmark = pytest.mark.paddle

LOGITS = hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(-30, 30, width=32))
TARGETS = {"labels": np.array([0, 4, 2, 2])}
WEIGHTS = np.array([1.0, 2.0, 0.5], np.float32)
TASK = Classification()


def points(*pairs):
    return [AlphaPoint(at=at, value=value) for at, value in pairs]


def softmax(logits):
    scaled = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return scaled / scaled.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("schedule", "progress", "expected"),
    [
        ([(0, 0.9)], 0.7, 0.9),
        ([(0, 0.9), (1, 0.3)], 0.5, 0.6),  # from the teachers to the truth
        ([(0, 0.0), (0.2, 0.7)], 0.1, 0.35),  # from the truth to the teachers
        ([(0, 0.1), (1, 0.9)], 0.75, 0.7),
        ([(0, 0.9), (0.3, 0.7), (1, 0.3)], 0.3, 0.7),
        ([(0, 0.2), (0.5, 0.8), (1, 0.2)], 0.75, 0.5),  # there and back
        ([(0.2, 0.8), (0.4, 0.2)], 0.0, 0.8),
        ([(0.2, 0.8), (0.4, 0.2)], 0.3, 0.5),
        ([(0.2, 0.8), (0.4, 0.2)], 1.0, 0.2),
    ],
)
def test_alpha_is_linear_between_its_points(schedule, progress, expected):
    assert alpha_at(points(*schedule), progress) == pytest.approx(expected)


@given(
    values=st.lists(st.floats(0, 1), min_size=2, max_size=5),
    progress=st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
    rising=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_alpha_moves_the_way_its_points_do(values, progress, rising):
    places = np.linspace(0, 1, len(values))
    schedule = points(*zip(places, sorted(values, reverse=not rising), strict=True))
    before, after = (alpha_at(schedule, moment) for moment in progress)
    assert 0 <= min(before, after) <= max(before, after) <= 1
    # Interpolation may round in the last place.
    assert before <= after + 1e-12 if rising else before >= after - 1e-12


@pytest.mark.parametrize(("alpha", "factor"), [(0.0, 16.0), (1.0, 16.0), (0.3, 16.0), (0.3, 1.0)])
def test_truth_and_teachers_are_weighed(alpha, factor):
    total = weighted(paddle.to_tensor(2.0), paddle.to_tensor(0.5), alpha, factor)
    assert float(total) == pytest.approx((1 - alpha) * 2.0 + alpha * factor * 0.5)


@given(logits=LOGITS, temperature=st.floats(1, 20))
@settings(max_examples=30, deadline=None)
def test_a_distance_is_the_divergence_of_softened_probabilities(logits, temperature):
    teacher, student = logits[:1], logits[1]
    soft = TASK.soft_targets(teacher, TARGETS, WEIGHTS[:1], "WeightedMean", temperature)
    found = TASK.distance(paddle.to_tensor(student), paddle.to_tensor(soft), temperature)
    p, q = (softmax(one.astype(np.float64) / temperature) for one in (teacher[0], student))
    # Where a probability is nothing to a float32, it counts nothing.
    expected = np.sum(p * (np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(q, 1e-30)))) / len(p)
    assert float(found) == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert float(found) >= -1e-5


def test_the_square_of_the_temperature_takes_back_what_softening_takes_from_gradients():
    """In the limit T^2 d/dz is (z - v) / classes for logits of mean 0 (Hinton et al. 2015, section 2.1)."""
    random = np.random.default_rng(0)
    student, teacher = (one - one.mean() for one in random.normal(size=(2, 1, 5)).astype(np.float32))
    for temperature in (50.0, 200.0):
        given_student = paddle.to_tensor(student, stop_gradient=False)
        soft = TASK.soft_targets(
            teacher[np.newaxis],
            {"labels": np.array([0])},
            np.ones(1, np.float32),
            "WeightedMean",
            temperature,
        )
        distance = TASK.distance(given_student, paddle.to_tensor(soft), temperature)
        weighted(paddle.to_tensor(0.0), distance, 1.0, temperature**2).backward()
        assert given_student.grad.numpy() == pytest.approx((student - teacher) / 5, abs=0.01)


@given(logits=LOGITS, combine=st.sampled_from(sorted(COMBINATIONS)), temperature=st.floats(1, 20))
@settings(max_examples=60, deadline=None)
def test_targets_are_probabilities(logits, combine, temperature):
    targets = TASK.soft_targets(logits, TARGETS, WEIGHTS, combine, temperature)
    assert targets.shape == (4, 5)
    assert targets.dtype == np.float32
    assert (targets >= 0).all()
    assert targets.sum(axis=1) == pytest.approx(np.ones(4), abs=1e-4)


@given(logits=LOGITS, combine=st.sampled_from(sorted(COMBINATIONS)))
@settings(max_examples=30, deadline=None)
def test_targets_of_a_sample_do_not_depend_on_the_others(logits, combine):
    """What lets them be computed in parts, and a batch take its rows."""
    whole = TASK.soft_targets(logits, TARGETS, WEIGHTS, combine, 4.0)
    for sample in range(4):
        part = {"labels": TARGETS["labels"][[sample]]}
        alone = TASK.soft_targets(logits[:, [sample]], part, WEIGHTS, combine, 4.0)
        assert alone[0] == pytest.approx(whole[sample], abs=1e-6)


def test_a_mean_counts_teachers_by_weight():
    random = np.random.default_rng(1)
    logits = random.normal(size=(3, 4, 5)).astype(np.float32)
    expected = np.average(softmax(logits / 2.0), axis=0, weights=WEIGHTS)
    assert TASK.soft_targets(logits, TARGETS, WEIGHTS, "WeightedMean", 2.0) == pytest.approx(
        expected, abs=1e-6
    )


def test_confidence_weighs_by_the_true_class_s_probability():
    random = np.random.default_rng(2)
    logits = random.normal(size=(3, 4, 5)).astype(np.float32)
    known = softmax(logits)[:, np.arange(4), TARGETS["labels"]]
    shares = WEIGHTS[:, np.newaxis] * known
    shares = shares / shares.sum(axis=0)
    expected = np.einsum("tn,tnc->nc", shares, softmax(logits / 3.0))
    found = TASK.soft_targets(logits, TARGETS, WEIGHTS, "ConfidenceWeighted", 3.0)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_teacher_that_is_wrong_about_a_sample_hardly_speaks_on_it():
    logits = np.array([[[9.0, 0.0], [9.0, 0.0]], [[0.0, 9.0], [0.0, 9.0]]], np.float32)
    targets = {"labels": np.array([0, 1])}
    found = TASK.soft_targets(logits, targets, np.ones(2, np.float32), "ConfidenceWeighted", 1.0)
    assert found[0, 0] > 0.99
    assert found[1, 1] > 0.99
