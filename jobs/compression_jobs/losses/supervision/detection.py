"""Supervision of detectors: objects as points (Zhou et al. 2019, CenterNet).

Owns the focal loss of the heat map, the distance of boxes, and what teachers teach of both. Outputs are laid
out as `tasks.centernet` says. Soft targets are [n, classes + 5, rows, columns]: the teachers' softened heat,
their geometry, and how much of it is worth imitating.
"""

from __future__ import annotations

import numpy as np

from compression_jobs.framework import functional, paddle
from compression_jobs.losses.supervision.combining import COMBINATIONS, Floats, mixed
from compression_jobs.readers.base import Targets
from compression_jobs.tasks import centernet

GEOMETRY = centernet.GEOMETRY
_LEAST = 1e-6


class Detection:
    """See the module."""

    def loss(self, output: paddle.Tensor, targets: Targets) -> paddle.Tensor:
        """Penalty-reduced focal loss of the heat, and L1 of offset and log size, by object."""
        _, channels, rows, columns = output.shape
        maps = centernet.encode(targets, channels - GEOMETRY, rows, columns)
        objects = len(maps.classes)
        heat = _focal(output[:, :-GEOMETRY], paddle.to_tensor(maps.heat), _centres(maps))
        if not objects:
            return heat
        sample, row, column = (paddle.to_tensor(index) for index in maps.cells)
        said = paddle.transpose(output[:, -GEOMETRY:], [0, 2, 3, 1])[sample, row, column]
        boxes = paddle.abs(said - paddle.to_tensor(maps.geometry)).sum()
        return (heat + boxes) / objects

    def soft_targets(
        self, outputs: Floats, targets: Targets, weights: Floats, combine: str, temperature: float
    ) -> Floats:
        """The mixture of the teachers' softened heat; of their boxes, weighed by their heat in the cell.

        A teacher is as confident in an image as the mean log-probability that it gives to the true objects'
        classes at their middles; of an image without objects all know as much.
        """
        logits, geometry = outputs[:, :, :-GEOMETRY], outputs[:, :, -GEOMETRY:]
        shares = COMBINATIONS[combine].shares(_knowledge(logits, targets), weights)
        hottest = _sigmoid(logits).max(axis=2, keepdims=True)
        worth = mixed(hottest, shares)
        boxes = mixed(hottest * geometry, shares) / np.maximum(worth, np.float32(_LEAST))
        heat = mixed(_sigmoid(logits / np.float32(temperature)), shares)
        soft: Floats = np.concatenate([heat, boxes, worth], axis=1).astype(np.float32)
        return soft

    def distance(self, output: paddle.Tensor, soft: paddle.Tensor, temperature: float) -> paddle.Tensor:
        """The KL divergence of softened heat, cell by cell, and L1 of boxes where the teachers see objects.

        Both are sums over the cells by the teachers' heat, which is about the number of objects: the scale of
        `loss`. Where both are equal it is 0.
        """
        heat, boxes, worth = soft[:, : -GEOMETRY - 1], soft[:, -GEOMETRY - 1 : -1], soft[:, -1:]
        said = output[:, :-GEOMETRY] / temperature
        known = paddle.clip(heat, _LEAST, 1 - _LEAST)
        entropy = -(known * paddle.log(known) + (1 - known) * paddle.log(1 - known))
        apart = functional.binary_cross_entropy_with_logits(said, known, reduction="none") - entropy
        geometry = paddle.abs(output[:, -GEOMETRY:] - boxes) * worth
        return (apart.sum() + geometry.sum()) / paddle.clip(worth.sum(), min=1.0)


def _focal(logits: paddle.Tensor, heat: paddle.Tensor, centres: paddle.Tensor) -> paddle.Tensor:
    """The sum over cells of CenterNet's equation 1 with alpha 2 and beta 4."""
    sure, unsure = functional.log_sigmoid(logits), functional.log_sigmoid(-logits)
    hit = centres * paddle.exp(2 * unsure) * sure
    miss = (1 - centres) * (1 - heat) ** 4 * paddle.exp(2 * sure) * unsure
    return -(hit + miss).sum()


def _centres(maps: centernet.Maps) -> paddle.Tensor:
    """1 where an object of the class has its middle, [n, classes, rows, columns]."""
    centres = np.zeros_like(maps.heat)
    sample, row, column = maps.cells
    centres[sample, maps.classes, row, column] = 1
    return paddle.to_tensor(centres)


def _knowledge(logits: Floats, targets: Targets) -> Floats:
    """The mean log-probability of each image's objects by each teacher, [teachers, n]."""
    teachers, samples, classes, rows, columns = logits.shape
    maps = centernet.encode(targets, classes, rows, columns)
    sample, row, column = maps.cells
    likely = -np.logaddexp(0, -logits[:, sample, maps.classes, row, column])
    sums = np.zeros((teachers, samples), np.float32)
    np.add.at(sums.T, sample, likely.T)
    objects = np.bincount(sample, minlength=samples)
    means: Floats = (sums / np.maximum(objects, 1)).astype(np.float32)
    return means


def _sigmoid(logits: Floats) -> Floats:
    # In this form nothing overflows.
    result: Floats = np.exp(-np.logaddexp(0, -logits)).astype(np.float32)
    return result
