"""Mean average precision against COCO's own code, and when two detectors answer alike."""

import io
from contextlib import redirect_stdout

import numpy as np
import pytest

from compression_jobs.metrics import coco
from compression_jobs.metrics.detection import MeanAveragePrecision
from compression_jobs.readers.facts import DatasetFacts
from compression_jobs.tasks.detection import METRICS, Detection
from unit.jobs.tasks.detections import CLASSES, scene, truth_of

MOST = 20


def _by_the_library(truth, found, thresholds) -> float:
    judged = coco.evaluation(found, truth, CLASSES, MOST)
    with redirect_stdout(io.StringIO()):
        judged.accumulate()
    precision = judged.eval["precision"][[coco.THRESHOLDS.index(t) for t in thresholds]]
    return float(precision[precision > -1].mean())


def _repeated(truth, found, counts):
    """The scene in which image i occurs counts[i] times."""
    rows = [
        np.arange(truth["offsets"][i], truth["offsets"][i + 1]) for i in np.arange(len(found)).repeat(counts)
    ]
    chosen = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    again = truth_of(truth["boxes"][chosen], truth["classes"][chosen], [len(row) for row in rows])
    return again, [found[i] for i in np.arange(len(found)).repeat(counts)]


@pytest.mark.parametrize("name", ["mAP", "mAP50"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_value_is_that_of_cocos_own_code(name, seed):
    truth, found = scene(25, seed)
    metric = METRICS[name]

    value = metric.of_counts(coco.matched(found, truth, CLASSES, MOST))(np.ones(25, np.int64))

    assert 0.05 < value < 0.95
    assert value == pytest.approx(_by_the_library(truth, found, metric.thresholds), abs=1e-9)


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_the_value_of_a_resample_is_that_of_its_images_repeated(seed):
    # Of equal scores in one image, COCO would take turns between its copies.
    truth, found = scene(12, seed, scores=10**6)
    counts = np.bincount(np.random.default_rng(seed).integers(0, 12, 12), minlength=12)

    value = METRICS["mAP"].of_counts(coco.matched(found, truth, CLASSES, MOST))(counts)

    assert value == pytest.approx(
        _by_the_library(*_repeated(truth, found, counts), coco.THRESHOLDS), abs=1e-9
    )


def test_one_found_of_two_is_half_the_recall_at_full_precision():
    truth = truth_of([[0, 0, 10, 10], [30, 30, 40, 40]], [0, 0], [2])
    found = scene(1, 0)[1][0]
    found = type(found)(truth["boxes"][:1], np.array([0.9], np.float32), np.array([0]))

    value = MeanAveragePrecision((0.5,)).of_counts(coco.matched([found], truth, CLASSES, MOST))

    assert value(np.ones(1, np.int64)) == pytest.approx(51 / 101)


def test_without_any_object_there_is_no_value():
    _, found = scene(3, 7)
    answers = coco.matched(found, truth_of([], [], [0, 0, 0]), CLASSES, MOST)

    assert np.isnan(METRICS["mAP"].of_counts(answers)(np.ones(3, np.int64)))


def _logits(*objects, side=8):
    """One image of 32x32 with objects (class, row, column, logit, pixels)."""
    maps = np.full((1, CLASSES + 4, side, side), -9.0, np.float32)
    maps[:, -4:-2] = 0.5
    for label, row, column, logit, pixels in objects:
        maps[0, label, row, column] = logit
        maps[0, -2:, row, column] = np.log(pixels / 4)
    return maps


BOX = (1, 2, 3, 3.0, 12)


@pytest.mark.parametrize(
    ("recorded", "shipped", "same"),
    [
        ([BOX], [BOX], True),
        ([], [], True),
        ([BOX], [(1, 2, 3, 2.0, 14)], True),
        ([BOX], [], False),
        ([], [BOX], False),
        ([BOX], [(0, 2, 3, 3.0, 12)], False),
        ([BOX], [(1, 2, 6, 3.0, 12)], False),
        ([BOX], [(1, 2, 3, 3.0, 30)], False),
        ([BOX], [BOX, (2, 6, 6, 3.0, 12)], False),
        ([(1, 2, 3, -0.8, 12)], [(1, 2, 3, -0.9, 12)], True),
        ([BOX], [BOX, (2, 6, 6, -2.0, 12)], True),
    ],
    ids=[
        "equal",
        "nothing in either",
        "a little larger",
        "lost",
        "invented",
        "another class",
        "another place",
        "another size",
        "one more",
        "on either side of the threshold",
        "an unlikely one more",
    ],
)
def test_detectors_agree_where_each_confident_box_has_a_partner(recorded, shipped, same):
    assert Detection().same(_logits(*recorded), _logits(*shipped)).tolist() == [same]


def test_outputs_are_judged_from_maps_to_matches():
    truth = truth_of([[8, 4, 20, 16], [0, 0, 4, 4]], [1, 2], [2])
    records = Detection().judge(_logits(BOX), truth).records

    assert records["classes"][0, :2].tolist() == [1, coco.EMPTY]
    assert records["hits"][0, 0] == 2 ** len(coco.THRESHOLDS) - 1
    assert records["objects"].tolist() == [[0, 1, 1]]


def test_the_output_has_a_cell_for_every_four_pixels():
    facts = DatasetFacts(
        input_shape=(1, 96, 66), num_classes=5, splits={"a": 1}, mean=(0.0,), std=(1.0,), targets="Boxes"
    )

    assert Detection().output_shape(facts) == (9, 24, 17)
