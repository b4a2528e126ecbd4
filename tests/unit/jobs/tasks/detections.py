"""Detections and objects by chance, for what is compared with COCO's own code."""

from __future__ import annotations

import numpy as np

from compression_jobs.tasks.centernet import Found

SIDE = 64
CLASSES = 3


def truth_of(boxes, classes, counts):
    """Targets of images with so many objects each."""
    return {
        "boxes": np.asarray(boxes, np.float32).reshape(-1, 4),
        "classes": np.asarray(classes, np.int64),
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    }


def scene(images: int, seed: int, scores: int = 9):
    """Objects of some images, and detections of which some are near them, in so many distinct scores."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 5, images)
    corners = random.uniform(0, SIDE - 20, (counts.sum(), 2))
    boxes = np.concatenate([corners, corners + random.uniform(4, 20, corners.shape)], axis=1)
    classes = random.integers(0, CLASSES, len(boxes))
    truth = truth_of(boxes, classes, counts)
    return truth, [_seen(truth, image, random, scores) for image in range(images)]


def _seen(truth, image, random, levels) -> Found:
    own = slice(truth["offsets"][image], truth["offsets"][image + 1])
    near = truth["boxes"][own].repeat(2, axis=0)
    near = near + random.normal(0, 1.5, near.shape)
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
    wild = random.uniform(0, SIDE, (3, 2))
    boxes = np.concatenate([near, np.concatenate([wild, wild + 10], axis=1)])
    classes = np.concatenate([truth["classes"][own].repeat(2), random.integers(0, CLASSES, 3)])
    scores = np.sort(random.integers(1, levels, len(boxes)) / levels)[::-1]
    order = random.permutation(len(boxes))
    return Found(boxes[order].astype(np.float32), scores.astype(np.float32), classes[order])
