"""What several teachers say together, as one probability vector a sample.

Owns how teachers are combined. The targets depend on teachers, labels and temperature only, never on the
student: they are computed once, in NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def log_softmax(logits: Floats) -> Floats:
    """Over the last axis, without overflow."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


class Combination(Protocol):
    """A way to weigh teachers against each other."""

    def shares(self, logits: Floats, labels: NDArray[np.int64], weights: Floats) -> Floats:
        """Each teacher's share in each sample's target.

        Args:
            logits: [teachers, n, classes].
            labels: [n].
            weights: [teachers], positive.

        Returns:
            [teachers, n]; each column sums to 1.
        """
        ...


class WeightedMean:
    """Every teacher counts as much as its weight says, on every sample."""

    def shares(self, logits: Floats, labels: NDArray[np.int64], weights: Floats) -> Floats:  # noqa: ARG002
        """See Combination.shares."""
        share = weights / weights.sum()
        return np.repeat(share[:, np.newaxis], len(labels), axis=1).astype(np.float32)


class ConfidenceWeighted:
    """A teacher counts by the probability it gives to the true class (after Zhang et al. 2022, CA-MKD).

    A teacher that is wrong about a sample hardly speaks on it; the weights are prior odds.
    """

    def shares(self, logits: Floats, labels: NDArray[np.int64], weights: Floats) -> Floats:
        """See Combination.shares."""
        true_class = np.take_along_axis(log_softmax(logits), labels[np.newaxis, :, np.newaxis], axis=2)
        scores: Floats = true_class[..., 0] + np.log(weights)[:, np.newaxis]
        return np.exp(log_softmax(scores.T).T).astype(np.float32)


COMBINATIONS: Final[Mapping[str, Combination]] = {
    "WeightedMean": WeightedMean(),
    "ConfidenceWeighted": ConfidenceWeighted(),
}


def soft_targets(
    logits: Floats, labels: NDArray[np.int64], weights: Floats, combine: str, temperature: float
) -> Floats:
    """The softened probabilities that the student is to imitate.

    Args:
        logits: of the teachers, [teachers, n, classes].
        labels: true classes, [n].
        weights: of the teachers, [teachers].
        combine: a key of COMBINATIONS.
        temperature: softens each teacher before they are mixed.

    Returns:
        [n, classes]; rows sum to 1.
    """
    shares = COMBINATIONS[combine].shares(logits, labels, weights)
    softened = np.exp(log_softmax((logits / np.float32(temperature)).astype(np.float32)))
    mixed: Floats = np.einsum("tn,tnc->nc", shares, softened).astype(np.float32)
    return mixed
