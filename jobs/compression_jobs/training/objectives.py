"""What a batch is judged by: labels alone, or labels and teachers.

Owns the step from sample numbers to a loss. Must not know how targets were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import AlphaPoint
from compression_jobs.framework import functional, paddle
from compression_jobs.losses.alpha import alpha_at
from compression_jobs.losses.distillation import DistillationLoss
from compression_jobs.readers import Indices


class Objective(Protocol):
    """A loss of some samples."""

    def loss(self, logits: paddle.Tensor, samples: Indices, progress: float) -> paddle.Tensor:
        """The mean loss of a batch.

        Args:
            logits: of the network, [len(samples), classes].
            samples: their numbers in the training split.
            progress: share of training that is done, 0..1.
        """
        ...


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Labels alone."""

    labels: NDArray[np.int64]

    def loss(self, logits: paddle.Tensor, samples: Indices, progress: float) -> paddle.Tensor:  # noqa: ARG002
        """See Objective.loss."""
        return functional.cross_entropy(logits, paddle.to_tensor(self.labels[samples]))


class Targets(Protocol):
    """Soft targets of samples; computed before, or when asked for."""

    def of(self, samples: Indices) -> NDArray[np.float32]:
        """[len(samples), classes]; rows sum to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Distilled:
    """Labels and teachers."""

    labels: NDArray[np.int64]
    targets: Targets
    formula: DistillationLoss
    alpha: Sequence[AlphaPoint]

    def loss(self, logits: paddle.Tensor, samples: Indices, progress: float) -> paddle.Tensor:
        """See Objective.loss."""
        return self.formula(
            logits,
            paddle.to_tensor(self.labels[samples]),
            paddle.to_tensor(self.targets.of(samples)),
            alpha_at(self.alpha, progress),
        )
