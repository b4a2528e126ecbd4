"""The loss of knowledge distillation (Hinton, Vinyals, Dean 2015).

Owns its formula.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_jobs.framework import functional, paddle


@dataclass(frozen=True, slots=True)
class DistillationLoss:
    """(1 - alpha) cross entropy with the labels + alpha KL divergence from the softened targets."""

    temperature: float
    scale_by_temperature_squared: bool = True
    """Gradients of the soft part shrink with the square of the temperature; this takes them back."""

    def __call__(
        self, logits: paddle.Tensor, labels: paddle.Tensor, targets: paddle.Tensor, alpha: float
    ) -> paddle.Tensor:
        """The mean over a batch.

        Args:
            logits: of the student, [n, classes].
            labels: [n].
            targets: soft targets at this temperature, [n, classes].
            alpha: weight of the soft part, 0..1.
        """
        hard = functional.cross_entropy(logits, labels)
        softened = functional.log_softmax(logits / self.temperature, axis=-1)
        soft = functional.kl_div(softened, targets, reduction="batchmean")
        if self.scale_by_temperature_squared:
            soft = soft * self.temperature**2
        return (1 - alpha) * hard + alpha * soft
