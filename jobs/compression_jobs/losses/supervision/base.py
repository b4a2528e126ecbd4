"""What every task's supervision offers: its loss, and what teachers teach.

Owns the Protocol; the other half of a task is in `tasks`. Must not know networks or optimisers.
"""

from __future__ import annotations

from typing import Protocol

from compression_jobs.framework import paddle
from compression_jobs.losses.supervision.combining import Floats
from compression_jobs.readers.base import Targets


class Supervision(Protocol):
    """The losses of a task; it has no state."""

    def loss(self, output: paddle.Tensor, targets: Targets) -> paddle.Tensor:
        """The mean over a batch of the loss by truth alone.

        Args:
            output: of the network, [n, *output_shape].
            targets: of the same samples.
        """
        ...

    def soft_targets(
        self, outputs: Floats, targets: Targets, weights: Floats, combine: str, temperature: float
    ) -> Floats:
        """What several teachers say together, softened.

        It depends on teachers and truth only, never on the student: it can be computed once. Each teacher is
        softened before they are mixed, so that imitating the mixture is imitating each by its share.

        Args:
            outputs: of the teachers, [teachers, n, *output_shape].
            targets: of the same samples.
            weights: of the teachers, [teachers], positive.
            combine: a key of COMBINATIONS.
            temperature: at least 1.

        Returns:
            [n, ...], what `distance` takes as `soft`.
        """
        ...

    def distance(self, output: paddle.Tensor, soft: paddle.Tensor, temperature: float) -> paddle.Tensor:
        """The mean over a batch of how far the student is from its teachers, both softened.

        Args:
            output: of the student, [n, *output_shape].
            soft: rows of `soft_targets`.
            temperature: the one that `soft` was made with. The gradient shrinks with its square; the caller
                makes up for it.
        """
        ...
