"""Boxes to maps and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_jobs.tasks import centernet
from unit.jobs.tasks.detections import truth_of

CLASSES = 4
CELLS = 12


def _perfect(maps: centernet.Maps) -> np.ndarray:
    """The output of a detector that says exactly this."""
    sample, row, column = maps.cells
    geometry = np.zeros((len(maps.heat), 4, *maps.heat.shape[2:]), np.float32)
    geometry[sample, :, row, column] = maps.geometry
    heat = np.clip(maps.heat, 1e-6, 1 - 1e-6)
    return np.concatenate([np.log(heat / (1 - heat)), geometry], axis=1).astype(np.float32)


@st.composite
def _objects(draw):
    """Boxes of which no two are in neighbouring cells."""
    places = draw(
        st.lists(
            st.tuples(st.integers(0, CELLS // 3 - 1), st.integers(0, CELLS // 3 - 1)), max_size=6, unique=True
        )
    )
    boxes = []
    for column, row in places:
        shift = st.floats(0.2, 3.8)
        middle = np.array([column * 12 + draw(shift), row * 12 + draw(shift)])
        half = np.minimum(np.array([draw(st.floats(0.5, 15)), draw(st.floats(0.5, 15))]), middle)
        half = np.minimum(half, CELLS * 4 - middle)
        boxes.append([*(middle - half), *(middle + half)])
    classes = [draw(st.integers(0, CLASSES - 1)) for _ in boxes]
    return boxes, classes


@given(_objects())
def test_a_perfect_detector_finds_every_box_again(objects):
    boxes, classes = objects
    maps = centernet.encode(truth_of(boxes, classes, [len(boxes)]), CLASSES, CELLS, CELLS)

    found = centernet.decode(_perfect(maps))[0]

    sure = found.scores > 0.999
    assert sorted(found.classes[sure].tolist()) == sorted(classes)
    for box, label in zip(boxes, classes, strict=True):
        same_class = found.boxes[sure & (found.classes == label)]
        assert np.abs(same_class - np.array(box)).max(axis=1).min() < 1e-3


def test_heat_is_one_at_the_middle_and_falls_off_with_the_size_of_the_box():
    truth = truth_of([[0, 0, 4, 4], [8, 8, 40, 40]], [0, 1], [2])

    heat = centernet.encode(truth, 2, CELLS, CELLS).heat[0]

    assert heat[0, 0, 0] == 1
    assert heat[1, 6, 6] == 1
    assert 0 < heat[1, 6, 9] < heat[1, 6, 7] < 1
    assert np.count_nonzero(heat[0] > 0.01) == 1


def test_two_objects_in_one_cell_both_have_their_box():
    truth = truth_of([[0, 0, 4, 4], [0, 0, 3, 3]], [0, 0], [2])
    maps = centernet.encode(truth, 1, 2, 2)

    assert [cells.tolist() for cells in maps.cells] == [[0, 0], [0, 0], [0, 0]]
    assert maps.geometry[:, 2] == pytest.approx([0, np.log(3 / 4)])


@pytest.mark.parametrize("counts", [[0, 0], [0, 1], [1, 0]])
def test_samples_without_objects_have_cold_maps(counts):
    boxes = [[4, 4, 8, 8]] * sum(counts)

    heat = centernet.encode(truth_of(boxes, [0] * len(boxes), counts), 1, 3, 3).heat

    assert [sample.max() == 1 for sample in heat] == [count == 1 for count in counts]


def test_constant_outputs_give_no_more_boxes_than_are_counted():
    found = centernet.decode(np.full((2, CLASSES + 4, CELLS, CELLS), 500, np.float32))

    for one in found:
        assert len(one.scores) == centernet.MAX_BOXES
        assert np.isfinite(one.boxes).all()
        assert one.boxes.min() >= 0
        assert one.boxes.max() <= CELLS * 4


def test_boxes_come_the_most_confident_first():
    random = np.random.default_rng(3)
    found = centernet.decode(random.normal(0, 2, (3, CLASSES + 4, CELLS, CELLS)).astype(np.float32))

    assert all((np.diff(one.scores) <= 0).all() for one in found)


@pytest.mark.parametrize(
    ("ours", "theirs", "share"),
    [
        ([0, 0, 2, 2], [0, 0, 2, 2], 1),
        ([0, 0, 2, 2], [1, 0, 3, 2], 1 / 3),
        ([0, 0, 2, 2], [2, 2, 4, 4], 0),
        ([0, 0, 0, 0], [0, 0, 0, 0], 0),
    ],
)
def test_overlap_is_the_common_area_by_the_covered_one(ours, theirs, share):
    boxes = [np.array([box], np.float32) for box in (ours, theirs)]

    assert centernet.overlap(*boxes)[0, 0] == pytest.approx(share)
