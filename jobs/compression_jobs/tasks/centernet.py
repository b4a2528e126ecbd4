"""Boxes as maps and back: objects as points (Zhou et al. 2019, CenterNet).

Owns the layout of a detector's one output [n, classes + 4, rows, columns]: for each class the logit that a
cell holds the middle of an object, then the middle's offset from the cell's corner (x, y) in cells, then the
logarithm of width and height in cells. A cell is 4x4 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.readers.base import Targets

Floats = NDArray[np.float32]

STRIDE: Final = 4
"""Pixels of a cell's side."""
GEOMETRY: Final = 4
"""Channels behind those of the classes: offset x, offset y, log width, log height."""
MAX_BOXES: Final = 100
"""Of an image, the most confident ones; as many as COCO counts."""
MIN_SCORE: Final = 0.01
"""What is less likely than this changes no metric visibly and costs most of the time."""
_MAX_LOG: Final = 8.0
_REACH: Final = 0.54
"""Share of a box that its peak covers (Liu et al. 2020, TTFNet)."""


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes in one image, the most confident first."""

    boxes: Floats
    """[m, 4]: left, top, right, bottom in pixels, within the image."""
    scores: Floats
    """[m], 0..1."""
    classes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Maps:
    """What a perfect detector would say of a batch."""

    heat: Floats
    """[n, classes, rows, columns]: 1 in the cell of an object's middle, falling off around it."""
    cells: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    """Sample, row and column of each object's middle, [m] each."""
    classes: NDArray[np.int64]
    """Of each object, [m]."""
    geometry: Floats
    """Of each object, [m, 4]."""


def map_size(pixels: int) -> int:
    """Cells along a side of so many pixels."""
    return -(-pixels // STRIDE)


def decode(output: Floats) -> list[Found]:
    """The boxes in a batch of outputs: cells that are no less likely than their eight neighbours."""
    maps = output.astype(np.float32)
    # Beyond this a single-precision number is 0 or 1 anyway, and its exponential overflows.
    heat = 1 / (1 + np.exp(-np.clip(maps[:, :-GEOMETRY], -80, 80)))
    peaks = np.where(heat >= _neighbourhood(heat), heat, 0)
    return [_boxes(*image) for image in zip(peaks, maps[:, -GEOMETRY:], strict=True)]


def encode(truth: Targets, classes: int, rows: int, columns: int) -> Maps:
    """The maps of the true boxes.

    Args:
        truth: `boxes`, `classes` and `offsets` of n samples, see readers.base.Targets.
        classes: channels of the heat map.
        rows: of the maps.
        columns: of the maps.
    """
    boxes = np.asarray(truth["boxes"], np.float32) / STRIDE
    samples = len(truth["offsets"]) - 1
    sample = np.repeat(np.arange(samples), np.diff(truth["offsets"]))
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(1e-3))
    middle = (boxes[:, 2:] + boxes[:, :2]) / 2
    cell = np.clip(np.floor(middle).astype(np.int64), 0, (columns - 1, rows - 1))
    heat = np.zeros((samples, classes, rows, columns), np.float32)
    for which, label, (column, row), extent in zip(sample, truth["classes"], cell, size, strict=True):
        bump = np.outer(_bell(rows, row, extent[1]), _bell(columns, column, extent[0]))
        np.maximum(heat[which, label], bump, out=heat[which, label])
    geometry = np.concatenate([middle - cell, np.log(size)], axis=1).astype(np.float32)
    return Maps(heat, (sample, cell[:, 1], cell[:, 0]), np.asarray(truth["classes"], np.int64), geometry)


def overlap(ours: Floats, theirs: Floats) -> Floats:
    """Intersection over union of each box [m, 4] with each other one [k, 4]: [m, k]."""
    corner = np.minimum(ours[:, None, 2:], theirs[None, :, 2:]) - np.maximum(
        ours[:, None, :2], theirs[None, :, :2]
    )
    common = np.prod(np.maximum(corner, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (ours, theirs)]
    union = areas[0][:, None] + areas[1][None, :] - common
    shares: Floats = (common / np.maximum(union, np.float32(1e-9))).astype(np.float32)
    return shares


def _neighbourhood(heat: Floats) -> Floats:
    padded = np.pad(heat, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    across = np.maximum(np.maximum(padded[..., :-2], padded[..., 1:-1]), padded[..., 2:])
    highest: Floats = np.maximum(np.maximum(across[:, :, :-2], across[:, :, 1:-1]), across[:, :, 2:])
    return highest


def _boxes(peaks: Floats, geometry: Floats) -> Found:
    classes, rows, columns = np.nonzero(peaks >= MIN_SCORE)
    scores = peaks[classes, rows, columns]
    best = np.argsort(-scores, kind="stable")[:MAX_BOXES]
    classes, rows, columns = classes[best], rows[best], columns[best]
    offset_x, offset_y, wide, high = geometry[:, rows, columns]
    middle = np.stack([columns + offset_x, rows + offset_y], axis=1)
    half = np.exp(np.clip(np.stack([wide, high], axis=1), -_MAX_LOG, _MAX_LOG)) / 2
    corners = np.concatenate([middle - half, middle + half], axis=1) * STRIDE
    height, width = peaks.shape[1:]
    limit = np.array([width, height, width, height]) * STRIDE
    return Found(np.clip(corners, 0, limit).astype(np.float32), scores[best], classes)


def _bell(length: int, at: int, extent: float) -> Floats:
    deviation = (2 * np.floor(extent / 2 * _REACH) + 1) / 6
    bell = np.exp(-((np.arange(length) - at) ** 2) / (2 * deviation**2))
    bell[bell < np.finfo(np.float32).eps] = 0
    result: Floats = bell.astype(np.float32)
    return result
