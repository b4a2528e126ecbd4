"""Pictures of stored predictions: one for each kind of task, none for what is not known."""

from __future__ import annotations

import numpy as np
import pytest

from compression_jobs.report import answers

CHANCE = np.random.RandomState(5)
N, MOST, CLASSES = 40, 6, 3


def both(**records):
    """The same records of candidate and baseline."""
    return {f"{who}_{name}": array for name, array in records.items() for who in ("candidate", "baseline")}


DETECTION = both(
    scores=np.sort(CHANCE.rand(N, MOST).astype(np.float32))[:, ::-1],
    classes=CHANCE.randint(-1, CLASSES, (N, MOST)).astype(np.int32),
    hits=CHANCE.randint(0, 2, (N, MOST)).astype(np.int32),
    objects=CHANCE.randint(0, 4, (N, CLASSES)).astype(np.int32),
)
LINES = both(edits=CHANCE.randint(0, 9, N).astype(np.int32), length=np.full(N, 6, np.int32))
LABELS = both(
    labels=CHANCE.randint(0, CLASSES, N).astype(np.int32), predicted=np.zeros(N, np.int32), rank=np.zeros(N)
)


@pytest.mark.parametrize("records", [DETECTION, LINES, LABELS], ids=["boxes", "lines", "classes"])
@pytest.mark.parametrize("alone", [True, False])
def test_each_kind_of_prediction_has_a_picture_with_or_without_a_baseline(records, alone):
    shown = {name: array for name, array in records.items() if not alone or name.startswith("candidate")}
    picture = answers.draw(shown)
    assert picture is not None
    assert picture.startswith(b"\x89PNG")


def test_unknown_records_and_too_many_classes_have_none():
    many = {"candidate_labels": np.arange(100), "candidate_predicted": np.arange(100)}
    assert answers.draw({"indices": np.arange(3)}) is None
    assert answers.draw(many) is None


def test_a_curve_counts_right_detections_by_falling_score():
    records = {
        "candidate_scores": np.array([[0.9, 0.8, 0.7]], np.float32),
        "candidate_classes": np.array([[0, 0, 0]]),
        "candidate_hits": np.array([[1, 0, 3]]),
        "candidate_objects": np.array([[4]]),
    }
    recall, precision = answers._curve(records, "candidate", 0)
    np.testing.assert_allclose(recall, [0.25, 0.25, 0.5])
    np.testing.assert_allclose(precision, [1, 0.5, 2 / 3])
