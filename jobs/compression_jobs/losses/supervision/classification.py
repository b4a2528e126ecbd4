"""Supervision of classifiers: cross entropy, and the softened logits of Hinton, Vinyals, Dean (2015).

Owns both formulas. Outputs are logits [n, classes]; soft targets are probabilities of the same shape.
"""

from __future__ import annotations

import numpy as np

from compression_jobs.framework import functional, paddle
from compression_jobs.losses.supervision.combining import COMBINATIONS, Floats, log_softmax, mixed, softened
from compression_jobs.readers.base import Targets


class Classification:
    """See the module."""

    def loss(self, output: paddle.Tensor, targets: Targets) -> paddle.Tensor:
        """Cross entropy with the labels."""
        return functional.cross_entropy(output, paddle.to_tensor(np.asarray(targets["labels"], np.int64)))

    def soft_targets(
        self, outputs: Floats, targets: Targets, weights: Floats, combine: str, temperature: float
    ) -> Floats:
        """The mixture of the teachers' softened probabilities.

        A teacher is as confident as the probability it gives to the true class.
        """
        labels = np.asarray(targets["labels"], np.int64)
        knowledge = np.take_along_axis(log_softmax(outputs), labels[np.newaxis, :, np.newaxis], axis=2)[
            ..., 0
        ]
        return mixed(softened(outputs, temperature), COMBINATIONS[combine].shares(knowledge, weights))

    def distance(self, output: paddle.Tensor, soft: paddle.Tensor, temperature: float) -> paddle.Tensor:
        """The KL divergence of the student's softened probabilities from the teachers'."""
        return functional.kl_div(
            functional.log_softmax(output / temperature, axis=-1), soft, reduction="batchmean"
        )
