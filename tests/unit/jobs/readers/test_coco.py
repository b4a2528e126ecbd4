"""COCO: boxes in pixels of the sample, and what becomes of entries that make no sense."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compression_jobs.errors import InvalidData, InvalidInput
from support.datasets import coco, grey

CATEGORIES = [{"id": 7, "name": "short"}, {"id": 3, "name": "open"}]


def document(boxes: list[list[Any]], image: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    """Two images of 16x8 pixels; the boxes, each with its category, are those of the second."""
    images = [
        {"id": 1, "file_name": "a.png", "width": 16, "height": 8},
        {"id": 2, "file_name": "b.png", "width": 16, "height": 8, **(image or {})},
    ]
    annotations = [
        {"id": number, "image_id": 2, "bbox": box[:4], "category_id": box[4]}
        for number, box in enumerate(boxes)
    ]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES, **other}


IMAGES = {"a.png": grey(10, 8, 16), "b.png": grey(200, 8, 16)}


def test_boxes_are_corners_in_pixels_of_the_sample_and_categories_go_by_id(tmp_path: Path):
    split = coco(tmp_path, document([[2, 1, 4, 2, 7], [12, 4, 10, 10, 3]]), IMAGES, 2)

    targets = split.targets(np.array([1, 0, 1]))

    assert targets["offsets"].tolist() == [0, 2, 2, 4]
    assert targets["boxes"][:2].tolist() == [[1, 1, 3, 3], [6, 4, 8, 8]]
    assert targets["classes"].tolist() == [1, 0, 1, 0]
    assert targets["boxes"].dtype == np.float32
    assert targets["classes"].dtype == np.int64
    assert split.inputs(np.array([1])).shape == (1, 1, 8, 8)


def test_no_sample_chosen_has_no_boxes(tmp_path: Path):
    targets = coco(tmp_path, document([[2, 1, 4, 2, 7]]), IMAGES, 2).targets(np.array([], np.int64))
    assert targets["boxes"].shape == (0, 4)
    assert targets["offsets"].tolist() == [0]


def test_regions_of_crowds_are_not_read(tmp_path: Path):
    given = document([[2, 1, 4, 2, 7]])
    given["annotations"][0]["iscrowd"] = 1
    assert coco(tmp_path, given, IMAGES, 2).targets(np.array([1]))["boxes"].shape == (0, 4)


def test_there_are_no_labels(tmp_path: Path):
    with pytest.raises(InvalidInput) as caught:
        _ = coco(tmp_path, document([]), IMAGES, 2).labels
    assert caught.value.reason == "TaskMismatch"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (document([[2, 1, 4, 2, 5]]), "unknown category"),
        (document([[2, 1, 4, 2, [7]]]), "unknown category"),
        (document([[2, 1, 4, float("nan"), 7]]), "finite"),
        (document([[2, 1, 4, float("inf"), 7]]), "finite"),
        (document([["2", 1, 4, 2, 7]]), "finite"),
        (document([[2, 1, 0, 2, 7]]), "no area"),
        (document([[20, 1, 4, 2, 7]]), "no area"),
        (document([[2, 1, -1, 2, 7]]), "no area"),
        (document([], {"width": None}), "no width and height"),
        (document([], {"height": 0}), "no width and height"),
        (document([], {"height": 9}), "its entry says (16, 9)"),
        (document([], {"file_name": "c.png"}), "in none of the archives"),
        (document([], {"file_name": "../b.png"}), "in none of the archives"),
        (document([], {"file_name": None}), "in none of the archives"),
        (document([], {"file_name": "a.png", "width": 4}), "listed twice"),
    ],
)
def test_an_entry_that_makes_no_sense_is_a_bad_record(tmp_path: Path, given, why):
    split = coco(tmp_path, given, IMAGES, 2, limit=0.5)
    assert len(split) == 1
    assert why in split.bad[0].why


@pytest.mark.parametrize(
    "given",
    [
        "no json",
        "[" * 100_000,
        "[]",
        "{}",
        document([], images={}),
        document([], images=[1]),
        document([], categories=[]),
        document([], categories=[{"id": 1}, {"id": 1}]),
        document([], categories=[{"id": "1"}, {"id": "2"}]),
        document([], images=[]),
    ],
    ids=[
        "text",
        "deep",
        "list",
        "empty",
        "object",
        "numbers",
        "no-categories",
        "same-ids",
        "text-ids",
        "none",
    ],
)
def test_a_document_that_is_no_coco_is_refused(tmp_path: Path, given):
    with pytest.raises(InvalidData) as caught:
        coco(tmp_path, given, IMAGES, 2)
    assert caught.value.reason == "DatasetInvalid"


def test_categories_must_be_the_classes_of_the_manifest(tmp_path: Path):
    with pytest.raises(InvalidData, match="other categories"):
        coco(tmp_path, document([]), IMAGES, 2, classes=["short", "open"])
    assert len(coco(tmp_path, document([]), IMAGES, 2, classes=["open", "short"])) == 2
