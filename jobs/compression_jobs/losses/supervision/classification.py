"""Supervision of classifiers: cross entropy, and the softened logits of Hinton, Vinyals, Dean (2015).

Owns both formulas.
"""

from __future__ import annotations

import numpy as np

from compression_jobs.framework import functional, paddle
from compression_jobs.losses.supervision.base import Floats
from compression_jobs.losses.targets import soft_targets
from compression_jobs.readers.base import Targets


class Classification:
    """Outputs are logits [n, classes]; soft targets are probabilities of the same shape."""

    def loss(self, output: paddle.Tensor, targets: Targets) -> paddle.Tensor:
        """Cross entropy with the labels."""
        return functional.cross_entropy(output, paddle.to_tensor(np.asarray(targets["labels"], np.int64)))

    def soft_targets(
        self, outputs: Floats, targets: Targets, weights: Floats, combine: str, temperature: float
    ) -> Floats:
        """The mixture of the teachers' softened probabilities."""
        return soft_targets(outputs, targets["labels"], weights, combine, temperature)

    def distance(self, output: paddle.Tensor, soft: paddle.Tensor, temperature: float) -> paddle.Tensor:
        """The KL divergence of the student's softened probabilities from the teachers'."""
        softened = functional.log_softmax(output / temperature, axis=-1)
        return functional.kl_div(softened, soft, reduction="batchmean")
