"""The training loop.

Owns steps, epochs, divergence, interruption, and the order of all that happens between two steps. Must not
know what is being trained or why.
"""

from __future__ import annotations

import contextlib
import logging
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import Optimizer
from compression_jobs import interruption
from compression_jobs.checkpoints import Checkpoints, Snapshot
from compression_jobs.errors import Diverged, InvalidData, InvalidInput
from compression_jobs.framework import nn, paddle
from compression_jobs.keeper import Keeper
from compression_jobs.readers import Indices, Inputs, Split
from compression_jobs.readers.prefetch import Prefetcher
from compression_jobs.replicas import NotFirst
from compression_jobs.training import state
from compression_jobs.training.batches import Batches
from compression_jobs.training.history import CURVE_POINTS, Epoch, History
from compression_jobs.training.objectives import Objective
from compression_jobs.training.peers import Alone, Step, Together, join
from compression_jobs.training.progress import Teller
from compression_jobs.training.state import Moving

__all__ = ["Course", "Epoch", "History", "predict", "train"]

PREDICTION_BATCH: Final = 256

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


@dataclass(slots=True)
class _Record:
    """What is known of the training so far."""

    step: int = 0
    """Steps done."""
    losses: list[float] = field(default_factory=list)
    """Of the epoch under way."""
    epochs: list[Epoch] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """A copy for a checkpoint; the step is the snapshot's own."""
        return {"losses": list(self.losses), "epochs": [epoch.to_json() for epoch in self.epochs]}

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a checkpoint."""
        self.step = snapshot.step
        self.losses = [float(loss) for loss in snapshot.values["losses"]]
        self.epochs = [Epoch.from_json(entry) for entry in snapshot.values["epochs"]]

    def close_epoch(self, rate: float) -> Epoch:
        """Sum up the epoch that is done."""
        parts = np.array_split(self.losses, min(CURVE_POINTS, len(self.losses)))
        done = Epoch(
            epoch=len(self.epochs) + 1,
            steps=len(self.losses),
            loss=float(np.mean(self.losses)),
            learning_rate=rate,
            curve=tuple(round(float(np.mean(part)), 6) for part in parts),
        )
        self.epochs.append(done)
        self.losses = []
        return done


def train(
    network: Any,
    data: Split,
    samples: Indices,
    objective: Objective,
    course: Course,
    keeper: Keeper | None = None,
) -> History:
    """Move a network's weights, on from the last checkpoint where there is one.

    Where several replicas train, each does so on its share of every batch, and only the first one returns.

    Args:
        network: a Paddle layer; it is left in evaluation mode.
        data: the training split.
        samples: the numbers in it that may be trained on.
        objective: what is minimised.
        course: how long and how fast.
        keeper: of the stage: its checkpoints, and which replica this is.

    Raises:
        Diverged: TrainingDiverged, at the first loss that is not finite.
        Terminated: SIGTERM arrived; a checkpoint has been kept.
        PeersLost: another replica did not come, or is gone.
        InvalidInput: BatchTooSmall, fewer samples in a batch than replicas.
    """
    keeper = keeper or Keeper()
    keeper.claim()
    batches = Batches(samples, course.optimizer.batch_size, course.seed)
    if batches.length < keeper.replica.count:
        raise InvalidInput(
            "BatchTooSmall",
            f"A batch of {batches.length} has no sample for each of {keeper.replica.count} replicas; "
            "take fewer replicas or a larger batch.",
        )
    with objective.watching(network), _asked_to_end(keeper) as ending:
        moving = Moving.of(network, objective.layers(), course.optimizer, steps(course, batches))
        for _, module in moving.modules():
            module.train()
        return _Training(moving, objective, course, batches).run(data, keeper, ending)


def steps(course: Course, batches: Batches) -> int:
    """Steps of a course in all."""
    return max(1, round(batches.steps * course.epochs))


def predict(network: Any, data: Split, samples: Indices) -> NDArray[np.float32]:
    """Outputs [len(samples), ...] of a network in evaluation mode."""
    network.eval()
    parts = [samples[start : start + PREDICTION_BATCH] for start in range(0, len(samples), PREDICTION_BATCH)]
    with paddle.no_grad():
        return np.concatenate([network(paddle.to_tensor(data.inputs(part))).numpy() for part in parts])


def freeze_batch_norm(network: Any) -> None:
    """Let batch normalisation use its running statistics and leave them as they are."""
    for layer in network.sublayers():
        if isinstance(layer, nn.BatchNorm1D | nn.BatchNorm2D | nn.BatchNorm3D):
            layer.eval()


@contextlib.contextmanager
def _asked_to_end(keeper: Keeper) -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM arrived, where there is something to do before ending; else it unwinds at once."""
    if keeper.checkpoints is None:
        yield lambda: False
        return
    with interruption.deferred() as arrived:
        yield arrived


class _Training:
    """One call of `train`: the network with its optimiser, and how far it is."""

    def __init__(self, moving: Moving, objective: Objective, course: Course, batches: Batches) -> None:
        self._moving = moving
        self._objective = objective
        self._course = course
        self._batches = batches
        self._total = steps(course, batches)
        self._record = _Record()
        self._frozen = False

    def run(self, data: Split, keeper: Keeper, ending: Callable[[], bool]) -> History:
        """All steps that are left."""
        record, total, batches = self._record, self._total, self._batches
        start = self._resume(keeper.checkpoints)
        peers = join(keeper.replica, start, self._moving.tensors())
        teller = Teller(total, batches.length, keeper.replica.count, start)
        shares = (peers.share(batch) for batch in batches.since(start, total))
        with Prefetcher(data, shares, before=lambda number: self._seed_reader(start + number, peers)) as fed:
            for samples, inputs in fed:
                teller.tell(record.step, len(record.epochs) + 1, record.losses)
                self._freeze()
                loss = self._loss(samples, inputs, peers)
                wishes = Step(ending=ending(), keeping=keeper.due())
                came = peers.reduce(self._moving.parameters, loss, len(samples) / batches.length, wishes)
                self._move(came.loss)
                if record.step % batches.steps == 0 or record.step == total:
                    teller.epoch(record.close_epoch(float(self._moving.rate())), record.step)
                if came.ending or came.keeping:
                    self._keep(keeper, peers, came.ending)
        self._settle(peers)
        return History(tuple(record.epochs), start, round(teller.samples_per_second(total), 1))

    def _loss(self, samples: Indices, inputs: Inputs, peers: Alone | Together) -> Any:
        """Forward and backward."""
        paddle.seed(self._stream(self._record.step, peers))
        output = self._moving.network(paddle.to_tensor(inputs))
        loss = self._objective.loss(output, samples, self._record.step / self._total)
        loss.backward()
        return loss

    def _move(self, loss: float) -> None:
        """Take the step, unless the loss says that there is nothing to gain any more."""
        record, moving = self._record, self._moving
        if not math.isfinite(loss):
            raise Diverged(
                "TrainingDiverged",
                f"The loss became {loss} at step {record.step + 1}; lower the learning rate "
                f"({self._course.optimizer.learning_rate:g}) or the temperature.",
            )
        moving.optimizer.step()
        moving.optimizer.clear_grad()
        moving.rate.step()
        record.losses.append(loss)
        record.step += 1

    def _freeze(self) -> None:
        if not self._frozen and self._record.step >= self._total * self._course.freeze_batch_norm_after:
            freeze_batch_norm(self._moving.network)
            self._frozen = True

    def _stream(self, step: int, peers: Alone | Together) -> int:
        """The seed of a step's random numbers, however the training got there."""
        return (self._course.seed + step + 1_000_003 * peers.replica.index) % 2**31

    def _seed_reader(self, step: int, peers: Alone | Together) -> None:
        """Begin NumPy's and Python's streams anew: what an author's reader may draw from."""
        np.random.seed(self._stream(step, peers))
        random.seed(self._stream(step, peers))

    def _resume(self, checkpoints: Checkpoints | None) -> int:
        """Go back to the newest checkpoint that fits, and return its step; 0 where there is none."""
        for snapshot in checkpoints.stored() if checkpoints else ():
            try:
                state.restore(self._moving, snapshot.arrays, snapshot.values)
                self._record.restore(snapshot)
            except InvalidData as error:
                log.warning("a checkpoint is passed over", extra={"fields": {"why": error.message}})
                continue
            log.info("going on from a checkpoint", extra={"fields": {"step": snapshot.step}})
            return snapshot.step
        return 0

    def _keep(self, keeper: Keeper, peers: Alone | Together, ending: bool) -> None:
        """Keep a checkpoint, and unwind where somebody was asked to end.

        The means of running statistics go into it, not into the network: when a checkpoint is due depends on
        the clock, and what is trained must not.
        """
        arrays, values = state.capture(self._moving)
        arrays.update(peers.means(self._moving.tensors()))
        if keeper.checkpoints is not None and keeper.replica.first:
            keeper.checkpoints.settle()
            keeper.checkpoints.keep(Snapshot(self._record.step, arrays, {**values, **self._record.to_json()}))
        if ending:
            if keeper.checkpoints is not None:
                keeper.checkpoints.settle()
            raise interruption.Terminated

    def _settle(self, peers: Alone | Together) -> None:
        """Leave the network ready to be used; only the first replica has a use for it.

        Raises:
            NotFirst: this is another one.
        """
        tensors = self._moving.tensors()
        for name, mean in peers.means(tensors).items():
            tensors[name].set_value(mean)
        for _, module in self._moving.modules():
            module.eval()
        if not peers.replica.first:
            raise NotFirst
