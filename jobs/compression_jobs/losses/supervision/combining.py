"""How several teachers are weighed against each other.

Owns the shares. Must not know what an output is: each task says how well a teacher knew the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_IMPOSSIBLE: Final = -1000.0
"""Where all teachers are as wrong as this, their weights decide."""


class Combination(Protocol):
    """A way to weigh teachers against each other."""

    def shares(self, knowledge: Floats, weights: Floats) -> Floats:
        """Each teacher's share in each sample's target.

        Args:
            knowledge: log-likelihood of the truth of each sample by each teacher, [teachers, n]; minus
                infinity where a teacher finds it impossible.
            weights: [teachers], positive.

        Returns:
            [teachers, n]; each column sums to 1.
        """
        ...


class WeightedMean:
    """Every teacher counts as much as its weight says, on every sample."""

    def shares(self, knowledge: Floats, weights: Floats) -> Floats:
        """See Combination.shares."""
        share = (weights / weights.sum()).astype(np.float32)
        return np.repeat(share[:, np.newaxis], knowledge.shape[1], axis=1)


class ConfidenceWeighted:
    """A teacher counts by the probability it gives to the truth (after Zhang et al. 2022, CA-MKD).

    A teacher that is wrong about a sample hardly speaks on it; the weights are prior odds.
    """

    def shares(self, knowledge: Floats, weights: Floats) -> Floats:
        """See Combination.shares."""
        scores = np.maximum(knowledge, _IMPOSSIBLE) + np.log(weights)[:, np.newaxis]
        return np.exp(log_softmax(scores.T.astype(np.float32)).T).astype(np.float32)


COMBINATIONS: Final[Mapping[str, Combination]] = {
    "WeightedMean": WeightedMean(),
    "ConfidenceWeighted": ConfidenceWeighted(),
}


def log_softmax(logits: Floats) -> Floats:
    """Over the last axis, without overflow."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def softened(logits: Floats, temperature: float) -> Floats:
    """The probabilities of logits by a temperature, over the last axis."""
    return np.exp(log_softmax((logits / np.float32(temperature)).astype(np.float32)))


def mixed(parts: Floats, shares: Floats) -> Floats:
    """What teachers say together: parts [teachers, n, ...] by shares [teachers, n]."""
    result: Floats = np.einsum("tn,tn...->n...", shares, parts).astype(np.float32)
    return result
