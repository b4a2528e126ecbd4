"""Losses between an inner layer of the student and one of a teacher.

Owns their formulas, each a small class behind `Mimic`. Must not know where features come from: both sides are
given, the student's after its adapter.

Features are maps [n, channels, height, width], sequences [n, steps, channels] or vectors [n, channels].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from compression_jobs.framework import functional, paddle

Shape = tuple[int, ...]
"""Of one sample's feature, without the batch."""


class Mimic(Protocol):
    """A distance between features, the mean over a batch, zero where they are equal."""

    def mismatch(self, student: Shape, teacher: Shape) -> str:
        """Why the two cannot be compared, in a few words; empty where they can."""
        ...

    def loss(self, student: paddle.Tensor, teacher: paddle.Tensor) -> paddle.Tensor:
        """The distance; gradients flow to the student only, as a teacher's feature is a constant."""
        ...


class L2:
    """Mean squared difference: the hints of FitNets (Romero et al. 2015)."""

    def mismatch(self, student: Shape, teacher: Shape) -> str:
        """See Mimic.mismatch."""
        return _unequal(student, teacher)

    def loss(self, student: paddle.Tensor, teacher: paddle.Tensor) -> paddle.Tensor:
        """See Mimic.loss."""
        return functional.mse_loss(student, teacher)


class L1:
    """Mean absolute difference: less moved by a few large activations (Kim et al. 2018, factor transfer)."""

    def mismatch(self, student: Shape, teacher: Shape) -> str:
        """See Mimic.mismatch."""
        return _unequal(student, teacher)

    def loss(self, student: paddle.Tensor, teacher: paddle.Tensor) -> paddle.Tensor:
        """See Mimic.loss."""
        return functional.l1_loss(student, teacher)


class Cosine:
    """One less the cosine of the angle between the channels, at each position.

    The direction of hidden states alone, not their length (Sanh et al. 2019, DistilBERT).
    """

    def mismatch(self, student: Shape, teacher: Shape) -> str:
        """See Mimic.mismatch."""
        return _unequal(student, teacher)

    def loss(self, student: paddle.Tensor, teacher: paddle.Tensor) -> paddle.Tensor:
        """See Mimic.loss."""
        axis = _channel_axis(len(student.shape))
        return 1 - functional.cosine_similarity(student, teacher, axis=axis).mean()


class Attention:
    """Attention transfer (Zagoruyko and Komodakis 2017): where a layer is active, whatever its width.

    The squares are summed over channels, each sample's map is scaled to length 1, and the squared distance of
    the two maps is taken.
    """

    def mismatch(self, student: Shape, teacher: Shape) -> str:
        """See Mimic.mismatch."""
        if len(student) < 2 or len(teacher) < 2:
            return "attention needs positions, and one of them is a vector"
        return _unequal(_positions(student), _positions(teacher))

    def loss(self, student: paddle.Tensor, teacher: paddle.Tensor) -> paddle.Tensor:
        """See Mimic.loss."""
        difference = _attention_map(student) - _attention_map(teacher)
        return (difference * difference).sum(axis=1).mean()


MIMICS: Final[Mapping[str, Mimic]] = {"L2": L2(), "L1": L1(), "Cosine": Cosine(), "Attention": Attention()}


def _attention_map(feature: paddle.Tensor) -> paddle.Tensor:
    energy = (feature * feature).sum(axis=_channel_axis(len(feature.shape))).flatten(1)
    return functional.normalize(energy, axis=1)


def _channel_axis(dimensions: int) -> int:
    """Of a batch: channels come first in maps and last in sequences and vectors."""
    return 1 if dimensions == 4 else -1


def _positions(shape: Shape) -> Shape:
    return shape[1:] if len(shape) == 3 else shape[:-1]


def _unequal(student: Shape, teacher: Shape) -> str:
    return "" if student == teacher else f"{list(student)} is not {list(teacher)}"
