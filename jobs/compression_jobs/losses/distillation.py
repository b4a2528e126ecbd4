"""The loss of knowledge distillation (Hinton, Vinyals, Dean 2015).

Owns how truth and teachers are weighed against each other; what a distance from the teachers is, each task
says for itself.
"""

from __future__ import annotations

from compression_jobs.framework import paddle


def weighted(truth: paddle.Tensor, soft: paddle.Tensor, alpha: float, factor: float) -> paddle.Tensor:
    """(1 - alpha) truth + alpha factor soft.

    Args:
        truth: the loss by what is known of the samples.
        soft: the distance from the softened teachers.
        alpha: weight of the teachers, 0..1.
        factor: the square of the temperature: gradients of the soft part shrink with it, this takes them back
            (section 2 of the paper); 1 leaves them small.
    """
    return (1 - alpha) * truth + alpha * factor * soft
