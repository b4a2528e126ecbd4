"""The training loop.

Owns steps, epochs, divergence and what is said on the way. Must not know what is being trained or why.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import Optimizer
from compression_jobs.errors import Diverged
from compression_jobs.framework import nn, paddle
from compression_jobs.readers import Indices, Split
from compression_jobs.training.batches import Batches
from compression_jobs.training.objectives import Objective
from compression_jobs.training.optimizers import optimizer, schedule

PREDICTION_BATCH: Final = 256
_SECONDS_BETWEEN_LINES: Final = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Course:
    """How long and how fast to train."""

    epochs: float
    """Passes over the samples; the last one may be a part of a pass."""
    optimizer: Optimizer
    seed: int
    freeze_batch_norm_after: float = 1.0
    """From this share of the steps on, batch normalisation keeps its running statistics."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to."""

    epoch: int
    steps: int
    loss: float
    """The mean over its batches."""
    learning_rate: float
    """At its end."""


@dataclass(frozen=True, slots=True)
class History:
    """A training from start to end; no clock in it, so that the same training gives the same history."""

    epochs: tuple[Epoch, ...]

    @property
    def steps(self) -> int:
        """Steps in all."""
        return sum(epoch.steps for epoch in self.epochs)

    @property
    def loss(self) -> float:
        """The last epoch's."""
        return self.epochs[-1].loss

    def to_json(self) -> list[dict[str, Any]]:
        """For the artifact."""
        return [asdict(epoch) for epoch in self.epochs]


def train(network: Any, data: Split, samples: Indices, objective: Objective, course: Course) -> History:
    """Move a network's weights.

    Args:
        network: a Paddle layer; it is left in evaluation mode.
        data: the training split.
        samples: the numbers in it that may be trained on.
        objective: what is minimised.
        course: how long and how fast.

    Raises:
        Diverged: TrainingDiverged, at the first loss that is not finite.
    """
    batches = Batches(samples, course.optimizer.batch_size, course.seed)
    total = max(1, round(batches.steps * course.epochs))
    rate = schedule(course.optimizer.learning_rate, total)
    mover = optimizer(course.optimizer, rate, network)
    progress = _Progress(total)
    history: list[Epoch] = []
    network.train()
    step = 0
    while step < total:
        losses: list[float] = []
        for batch in batches.epoch(len(history)):
            if step >= total * course.freeze_batch_norm_after:
                freeze_batch_norm(network)
            loss = objective.loss(network(paddle.to_tensor(data.inputs(batch))), batch, step / total)
            losses.append(_finite(float(loss), step, course))
            loss.backward()
            mover.step()
            mover.clear_grad()
            rate.step()
            step += 1
            progress.tell(step, losses)
            if step == total:
                break
        history.append(Epoch(len(history) + 1, len(losses), float(np.mean(losses)), float(rate())))
        progress.epoch(history[-1], step)
    network.eval()
    return History(tuple(history))


def predict(network: Any, data: Split, samples: Indices) -> NDArray[np.float32]:
    """Logits [len(samples), classes] of a network in evaluation mode."""
    network.eval()
    parts = [samples[start : start + PREDICTION_BATCH] for start in range(0, len(samples), PREDICTION_BATCH)]
    with paddle.no_grad():
        return np.concatenate([network(paddle.to_tensor(data.inputs(part))).numpy() for part in parts])


def freeze_batch_norm(network: Any) -> None:
    """Let batch normalisation use its running statistics and leave them as they are."""
    for layer in network.sublayers():
        if isinstance(layer, nn.BatchNorm2D):
            layer.eval()


def _finite(loss: float, step: int, course: Course) -> float:
    if not math.isfinite(loss):
        raise Diverged(
            "TrainingDiverged",
            f"The loss became {loss} at step {step + 1}; lower the learning rate "
            f"({course.optimizer.learning_rate:g}) or the temperature.",
        )
    return loss


class _Progress:
    """Says how far training is: at each epoch, and every half minute within one."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._start = self._last = time.monotonic()

    def tell(self, step: int, losses: list[float]) -> None:
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._say("training", step, {"loss": round(float(np.mean(losses[-100:])), 4)})

    def epoch(self, epoch: Epoch, step: int) -> None:
        self._say("epoch done", step, {"epoch": epoch.epoch, "loss": round(epoch.loss, 4)})

    def _say(self, message: str, step: int, fields: dict[str, Any]) -> None:
        self._last = time.monotonic()
        pace = (self._last - self._start) / step
        timing = {
            "step": step,
            "steps": self._total,
            "stepsPerSecond": round(1 / pace, 1),
            "secondsLeft": round(pace * (self._total - step)),
        }
        log.info(message, extra={"fields": {**fields, **timing}})
