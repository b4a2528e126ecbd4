"""Which detections count as found, by COCO's own code (pycocotools).

Owns the translation to its annotations and back to records of images, so that precision and recall can be
computed of any resample without matching again. Must not know how a model's output becomes boxes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from compression_jobs.metrics.answers import Answers
from compression_jobs.readers.base import Targets

THRESHOLDS: Final = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""Least intersection over union of a detection and its object, 0.5 to 0.95."""
EMPTY: Final = -1
"""Class of the places behind the last detection of an image."""


class Boxes(Protocol):
    """Detections in one image."""

    @property
    def boxes(self) -> NDArray[np.float32]:
        """[m, 4]: left, top, right, bottom in pixels."""

    @property
    def scores(self) -> NDArray[np.float32]:
        """[m], not rising."""

    @property
    def classes(self) -> NDArray[np.int64]:
        """[m]."""


def matched(found: Sequence[Boxes], truth: Targets, classes: int, most: int) -> Answers:
    """Each image's detections with the thresholds at which they are right.

    Args:
        found: the detections of n images.
        truth: the objects of the same images.
        classes: how many there are.
        most: detections of an image, at most.

    Returns:
        Records `scores` float32 and `classes` int32 [n, most], EMPTY behind the last; `hits` int32 [n, most],
        whose bit t says that the detection is right at THRESHOLDS[t]; `objects` int32 [n, classes].
    """
    samples = len(found)
    records: dict[str, NDArray[Any]] = {
        "scores": np.zeros((samples, most), np.float32),
        "classes": np.full((samples, most), EMPTY, np.int32),
        "hits": np.zeros((samples, most), np.int32),
        "objects": np.zeros((samples, classes), np.int32),
    }
    image = np.repeat(np.arange(samples), np.diff(truth["offsets"]))
    np.add.at(records["objects"], (image, truth["classes"]), 1)
    for which, boxes in enumerate(found):
        records["scores"][which, : len(boxes.scores)] = boxes.scores
        records["classes"][which, : len(boxes.scores)] = boxes.classes
    for one in evaluation(found, truth, classes, most).evalImgs:
        if one is not None:
            # Detections are numbered from 1 in the order in which they were given: image by image.
            place = np.asarray(one["dtIds"], np.int64) - 1
            right = np.asarray(one["dtMatches"]) > 0
            bits = (right << np.arange(len(THRESHOLDS))[:, None]).sum(axis=0)
            records["hits"][place // most, place % most] = bits
    return Answers(records)


def evaluation(found: Sequence[Boxes], truth: Targets, classes: int, most: int) -> Any:
    """COCO's evaluation of these images, with the matches made.

    Args:
        found: the detections of n images.
        truth: the objects of the same images.
        classes: how many there are.
        most: detections of an image, at most; detection k of image i has the number `i * most + k + 1`.
    """
    image = np.repeat(np.arange(len(found)), np.diff(truth["offsets"]))
    # Number 0 would count as unmatched.
    objects = [
        {**_box(*row), "id": number, "iscrowd": 0}
        for number, row in enumerate(zip(image, truth["boxes"], truth["classes"], strict=True), start=1)
    ]
    detections = [
        {**_box(which, box, label), "id": which * most + place + 1, "score": float(score)}
        for which, one in enumerate(found)
        for place, (box, score, label) in enumerate(zip(one.boxes, one.scores, one.classes, strict=True))
    ]
    with redirect_stdout(io.StringIO()):
        judged = COCOeval(_coco(objects, len(found), classes), _coco(detections, len(found), classes), "bbox")
        judged.params.iouThrs = np.asarray(THRESHOLDS)
        judged.params.areaRng, judged.params.areaRngLbl = [[0, 1e10]], ["all"]
        judged.params.maxDets = [most]
        judged.evaluate()
    return judged


def _coco(annotations: list[dict[str, Any]], images: int, classes: int) -> Any:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": number} for number in range(classes)],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def _box(image: int, corners: NDArray[np.float32], label: int) -> dict[str, Any]:
    left, top, right, bottom = (float(corner) for corner in corners)
    return {
        "image_id": int(image),
        "category_id": int(label),
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
    }
