"""Targets and weights of distillation, as arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from compression_contract.methods import AlphaPoint
from compression_jobs.losses.alpha import alpha_at
from compression_jobs.losses.targets import COMBINATIONS, soft_targets

LOGITS = hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(-30, 30, width=32))
LABELS = np.array([0, 4, 2, 2])
WEIGHTS = np.array([1.0, 2.0, 0.5], np.float32)


@pytest.mark.parametrize(
    ("points", "progress", "expected"),
    [
        ([(0, 0.9)], 0.7, 0.9),
        ([(0, 0.9), (1, 0.3)], 0.5, 0.6),
        ([(0, 0.9), (0.3, 0.7), (1, 0.3)], 0.3, 0.7),
        ([(0.2, 0.8), (0.4, 0.2)], 0.0, 0.8),
        ([(0.2, 0.8), (0.4, 0.2)], 0.3, 0.5),
        ([(0.2, 0.8), (0.4, 0.2)], 1.0, 0.2),
    ],
)
def test_alpha_is_linear_between_its_points(points, progress, expected):
    schedule = [AlphaPoint(at=at, value=value) for at, value in points]
    assert alpha_at(schedule, progress) == pytest.approx(expected)


@given(logits=LOGITS, combine=st.sampled_from(sorted(COMBINATIONS)), temperature=st.floats(1, 20))
@settings(max_examples=60, deadline=None)
def test_targets_are_probabilities(logits, combine, temperature):
    targets = soft_targets(logits, LABELS, WEIGHTS, combine, temperature)
    assert targets.shape == (4, 5)
    assert targets.dtype == np.float32
    assert (targets >= 0).all()
    assert targets.sum(axis=1) == pytest.approx(np.ones(4), abs=1e-4)


def test_one_teacher_is_its_softened_softmax():
    logits = np.array([[[2.0, 0.0]]], np.float32)
    targets = soft_targets(logits, np.array([0]), np.ones(1, np.float32), "WeightedMean", 2.0)
    assert targets[0] == pytest.approx([np.e / (np.e + 1), 1 / (np.e + 1)], abs=1e-6)


def test_a_mean_counts_teachers_by_weight():
    sure = np.array([[[50.0, 0.0]], [[0.0, 50.0]]], np.float32)
    weights = np.array([3.0, 1.0], np.float32)
    assert soft_targets(sure, np.array([1]), weights, "WeightedMean", 1.0)[0] == pytest.approx([0.75, 0.25])


def test_confidence_listens_to_the_teacher_that_knows_the_class():
    logits = np.array([[[9.0, 0.0], [9.0, 0.0]], [[0.0, 9.0], [0.0, 9.0]]], np.float32)
    shares = COMBINATIONS["ConfidenceWeighted"].shares(logits, np.array([0, 1]), np.ones(2, np.float32))
    assert shares[0, 0] > 0.99
    assert shares[1, 1] > 0.99
    assert shares.sum(axis=0) == pytest.approx([1.0, 1.0])


def test_confidence_of_equal_teachers_is_their_weight():
    logits = np.zeros((2, 1, 3), np.float32)
    weights = np.array([3.0, 1.0], np.float32)
    shares = COMBINATIONS["ConfidenceWeighted"].shares(logits, np.array([0]), weights)
    assert shares[:, 0] == pytest.approx([0.75, 0.25])
