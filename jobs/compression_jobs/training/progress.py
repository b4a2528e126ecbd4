"""Saying how far a training is.

Owns when a line is due and what it is computed from; the contract has its shape.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from compression_contract.progress import SECONDS_BETWEEN_LINES, Progress, fields
from compression_jobs.training.history import Epoch

_RECENT: Final = 100
"""Losses that the mean of a line is over."""

log = logging.getLogger(__name__)


class Teller:
    """Says it at the start, every few seconds, and after each epoch."""

    def __init__(self, steps: int, batch_size: int, replicas: int, start: int) -> None:
        self._steps = steps
        self._batch_size = batch_size
        self._replicas = replicas
        self._start = start
        self._began = time.monotonic()
        self._told: tuple[float, int] | None = None
        """When, and at which step."""

    def tell(self, step: int, epoch: int, losses: Sequence[float]) -> None:
        """Say how far it is, if a line is due; called before each step.

        Args:
            step: steps done.
            epoch: the one under way, from 1.
            losses: of the epoch so far.
        """
        now = time.monotonic()
        if self._told is not None and now - self._told[0] < SECONDS_BETWEEN_LINES:
            return
        self._say("training", step, epoch, float(np.mean(losses[-_RECENT:])) if losses else None)

    def epoch(self, done: Epoch, step: int) -> None:
        """Say what an epoch came to."""
        self._say("epoch done", step, done.epoch, done.loss)

    def samples_per_second(self, step: int) -> float:
        """Of all steps since this process began to train."""
        seconds = time.monotonic() - self._began
        return (step - self._start) * self._batch_size / seconds if seconds > 0 else 0.0

    def _say(self, message: str, step: int, epoch: int, loss: float | None) -> None:
        now = time.monotonic()
        since, before = self._told or (self._began, self._start)
        self._told = (now, step)
        done = step - self._start
        pace = (now - self._began) / done if done else None
        line = Progress(
            step=step,
            steps=self._steps,
            epoch=epoch,
            seconds_left=None if pace is None else round(pace * (self._steps - step)),
            loss=None if loss is None else round(loss, 6),
            samples_per_second=_rate((step - before) * self._batch_size, now - since),
            replicas=self._replicas,
        )
        log.info(message, extra={"fields": fields(line)})


def _rate(samples: int, seconds: float) -> float | None:
    return round(samples / seconds, 1) if samples and seconds > 0 else None
