"""Losses of the tasks against their definitions written out; gradients against finite differences."""

import itertools

import numpy as np
import pytest

from compression_jobs.errors import InvalidData
from compression_jobs.framework import paddle
from compression_jobs.losses.supervision import COMBINATIONS, SUPERVISIONS
from compression_jobs.losses.supervision.classification import Classification
from compression_jobs.losses.supervision.combining import log_softmax
from compression_jobs.losses.supervision.ctc import CTC
from compression_jobs.losses.supervision.detection import Detection
from compression_jobs.tasks import TASKS, centernet

pytestmark = pytest.mark.paddle

RANDOM = np.random.default_rng(11)
LABELS = {"labels": np.array([0, 3, 1])}
SYMBOLS = {"symbols": np.array([1, 1, 2, 2, 3]), "offsets": np.array([0, 2, 4, 5])}
BOXES = {
    "boxes": np.array([[2, 3, 14, 11], [10, 12, 30, 30], [1, 1, 5, 5]], np.float32),
    "classes": np.array([0, 1, 1]),
    "offsets": np.array([0, 2, 2, 3]),
}
CASES = {
    "classes": (Classification(), (3, 4), LABELS),
    "symbols": (CTC(), (3, 6, 5), SYMBOLS),
    "boxes": (Detection(), (3, 2 + 4, 8, 8), BOXES),
}
each_task = pytest.mark.parametrize(("supervision", "shape", "targets"), CASES.values(), ids=CASES)
ONE = np.ones(1, np.float32)


def _normal(shape, scale=1.0):
    return RANDOM.normal(0, scale, shape).astype(np.float32)


def _sigmoid(values):
    return 1 / (1 + np.exp(-values.astype(np.float64)))


def _soft(supervision, outputs, targets, temperature=2.0, combine="WeightedMean", weights=None):
    weights = np.ones(len(outputs), np.float32) if weights is None else np.asarray(weights, np.float32)
    return supervision.soft_targets(outputs, targets, weights, combine, temperature)


def _distance(supervision, output, soft, temperature=2.0):
    return float(supervision.distance(paddle.to_tensor(output), paddle.to_tensor(soft), temperature))


def _slopes_agree(function, output):
    """The gradient along random directions is the central difference of the function."""
    tensor = paddle.to_tensor(output, stop_gradient=False)
    function(tensor).backward()
    gradient = tensor.grad.numpy().astype(np.float64)
    assert np.abs(gradient).max() > 0
    for _ in range(4):
        way = _normal(output.shape)
        way /= np.linalg.norm(way)
        ends = [float(function(paddle.to_tensor(output + sign * 1e-2 * way))) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-2 == pytest.approx(float((gradient * way).sum()), rel=2e-2, abs=2e-3)


def test_every_task_is_supervised():
    assert set(SUPERVISIONS) == set(TASKS)


@each_task
def test_the_gradient_of_the_loss_is_its_slope(supervision, shape, targets):
    _slopes_agree(lambda output: supervision.loss(output, targets), _normal(shape))


@each_task
def test_the_gradient_of_the_distance_is_its_slope(supervision, shape, targets):
    soft = paddle.to_tensor(_soft(supervision, _normal((2, *shape), 2), targets))

    _slopes_agree(lambda output: supervision.distance(output, soft, 2.0), _normal(shape))


@each_task
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_distance_is_nothing_from_an_equal_teacher_and_something_from_another(
    supervision, shape, targets, temperature
):
    output = _normal(shape, 2)
    soft = _soft(supervision, output[np.newaxis], targets, temperature)

    assert _distance(supervision, output, soft, temperature) == pytest.approx(0, abs=1e-5)
    assert _distance(supervision, output + _normal(shape), soft, temperature) > 1e-3


@each_task
@pytest.mark.parametrize("combine", sorted(COMBINATIONS))
def test_equal_teachers_say_together_what_each_says(supervision, shape, targets, combine):
    output = _normal(shape, 2)

    together = _soft(supervision, np.stack([output] * 3), targets, combine=combine, weights=[1, 2, 3])

    assert together == pytest.approx(_soft(supervision, output[np.newaxis], targets), abs=1e-5)


@each_task
def test_a_teacher_without_weight_is_not_heard(supervision, shape, targets):
    heard, unheard = _normal(shape, 2), _normal(shape, 2)

    together = _soft(supervision, np.stack([heard, unheard]), targets, weights=[1, 1e-9])

    assert together == pytest.approx(_soft(supervision, heard[np.newaxis], targets), abs=1e-5)


def test_cross_entropy_is_minus_the_log_probability_of_the_label():
    output = _normal((3, 4))

    loss = float(Classification().loss(paddle.to_tensor(output), LABELS))

    assert loss == pytest.approx(-log_softmax(output)[np.arange(3), LABELS["labels"]].mean(), rel=1e-5)


def test_soft_classes_are_the_mean_of_softened_probabilities():
    sure = np.array([[[50.0, 0.0]], [[0.0, 50.0]]], np.float32)

    soft = _soft(Classification(), sure, {"labels": np.array([1])}, 1.0, weights=[3, 1])

    assert soft[0] == pytest.approx([0.75, 0.25])
    assert _soft(Classification(), sure[:1] / 25, {"labels": np.array([0])})[0, 0] == pytest.approx(
        np.e / (np.e + 1), abs=1e-6
    )


def test_confidence_listens_to_the_teacher_that_knows_the_class():
    teachers = np.array([[[9.0, 0.0], [9.0, 0.0]], [[0.0, 9.0], [0.0, 9.0]]], np.float32)

    soft = _soft(Classification(), teachers, {"labels": np.array([0, 1])}, 1.0, "ConfidenceWeighted")

    assert np.diag(soft) == pytest.approx([1, 1], abs=1e-3)


@pytest.mark.parametrize("combine", sorted(COMBINATIONS))
def test_shares_sum_to_one_even_where_all_find_the_truth_impossible(combine):
    shares = COMBINATIONS[combine].shares(np.array([[-1, -np.inf], [-90, -np.inf]]), np.array([1.0, 3.0]))

    assert shares.sum(axis=0) == pytest.approx([1, 1])
    assert shares[:, 1] == pytest.approx([0.25, 0.75], abs=1e-4)


def _likelihood(output, symbols):
    """The sum over all paths that read as the symbols."""
    frames, classes = output.shape
    chances = np.exp(log_softmax(output).astype(np.float64))
    total = 0.0
    for path in itertools.product(range(classes), repeat=frames):
        if [symbol for symbol, _ in itertools.groupby(path) if symbol] == list(symbols):
            total += np.prod(chances[np.arange(frames), path])
    return total


@pytest.mark.parametrize("symbols", [[1, 2], [2, 2], [1], []])
def test_ctc_is_minus_the_log_likelihood_of_all_alignments_by_symbol(symbols):
    output = _normal((4, 3))
    targets = {"symbols": np.array(symbols, np.int64), "offsets": np.array([0, len(symbols)])}

    loss = float(CTC().loss(paddle.to_tensor(output[np.newaxis]), targets))

    assert loss == pytest.approx(-np.log(_likelihood(output, symbols)) / max(1, len(symbols)), rel=1e-4)


def test_a_text_that_no_alignment_has_room_for_is_refused():
    targets = {"symbols": np.array([1, 2, 2]), "offsets": np.array([0, 3])}

    with pytest.raises(InvalidData, match="4 frames") as caught:
        CTC().loss(paddle.to_tensor(_normal((1, 3, 4))), targets)

    assert caught.value.reason == "SequenceTooLong"


def test_confidence_listens_to_the_teacher_that_reads_the_text():
    knows, guesses = (np.full((1, 3, 3), -5, np.float32) for _ in range(2))
    knows[0, [0, 1, 2], [1, 0, 2]] = 5
    guesses[0, [0, 1, 2], [2, 0, 1]] = 5
    targets = {"symbols": np.array([1, 2]), "offsets": np.array([0, 2])}

    soft = _soft(CTC(), np.stack([guesses, knows]), targets, 1.0, "ConfidenceWeighted")

    assert soft[0].argmax(axis=1).tolist() == [1, 0, 2]


def _focal(output, maps):
    """Equation 1 of CenterNet, cell by cell."""
    chance = _sigmoid(output[:, :-4])
    sample, row, column = maps.cells
    centre = np.zeros(chance.shape, bool)
    centre[sample, maps.classes, row, column] = True
    hit = (1 - chance) ** 2 * np.log(chance)
    miss = (1 - maps.heat) ** 4 * chance**2 * np.log(1 - chance)
    return -np.where(centre, hit, miss).sum()


def test_the_loss_of_a_detector_is_focal_heat_and_l1_boxes_by_object():
    output = _normal((3, 6, 8, 8))
    maps = centernet.encode(BOXES, 2, 8, 8)
    sample, row, column = maps.cells
    boxes = np.abs(output[sample, -4:, row, column] - maps.geometry).sum()

    loss = float(Detection().loss(paddle.to_tensor(output), BOXES))

    assert loss == pytest.approx((_focal(output, maps) + boxes) / 3, rel=1e-4)


def test_a_batch_without_objects_teaches_to_see_none():
    nothing = {
        "boxes": np.zeros((0, 4), np.float32),
        "classes": np.zeros(0, int),
        "offsets": np.zeros(3, int),
    }
    losses = [
        float(Detection().loss(paddle.full([2, 6, 8, 8], heat, "float32"), nothing)) for heat in (-9, 0, 3)
    ]

    assert 0 <= losses[0] < 1e-3 < losses[1] < losses[2] < np.inf


def test_an_extreme_detector_has_a_finite_loss():
    output = paddle.to_tensor(_normal((3, 6, 8, 8), 200), stop_gradient=False)

    loss = Detection().loss(output, BOXES)
    loss.backward()

    assert np.isfinite(float(loss))
    assert np.isfinite(output.grad.numpy()).all()


def test_boxes_are_imitated_where_the_teachers_see_objects():
    teacher = np.full((1, 6, 8, 8), -9, np.float32)
    teacher[0, 1, 4, 5] = 9
    soft = _soft(
        Detection(), teacher[np.newaxis], {k: v[:0] for k, v in BOXES.items()} | {"offsets": np.zeros(2, int)}
    )
    far, near = teacher.copy(), teacher.copy()
    far[0, -4:, 0, 0] += 1
    near[0, -4:, 4, 5] += 1

    assert _distance(Detection(), near, soft) > 100 * _distance(Detection(), far, soft)


def test_confidence_listens_to_the_teacher_that_sees_the_object():
    blind = np.full((1, 6, 8, 8), -6, np.float32)
    sees = blind.copy()
    truth = {"boxes": BOXES["boxes"][:1], "classes": np.array([1]), "offsets": np.array([0, 1])}
    sees[0, 1, 1, 2] = 6

    soft = _soft(Detection(), np.stack([blind, sees]), truth, 1.0, "ConfidenceWeighted")

    assert soft[0, 1, 1, 2] > 0.9
