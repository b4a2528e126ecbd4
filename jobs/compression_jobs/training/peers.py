"""Several processes that train one network: what they tell each other.

Owns the only use of Paddle's collectives: meeting at the start, one sum a step, and means of what each has
seen for itself. Must not know what is trained.

Gradients travel with everything else of a step (its loss, whether somebody was asked to end, whether to keep
a checkpoint) in one flat sum: on CPUs the number of messages costs more than their length, and all processes
learn of an interruption at the same step.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.exitcodes import ExitCode
from compression_jobs.errors import StageError
from compression_jobs.framework import paddle
from compression_jobs.replicas import Replica

SIGNALS: Final = 3
"""Numbers that travel behind the gradients: loss, wish to end, wish to keep a checkpoint."""
_POLL_SECONDS: Final = 0.5

log = logging.getLogger(__name__)


class PeersLost(StageError):
    """Another replica did not come, or is gone; all begin again from the last checkpoint."""

    exit_code = ExitCode.TEMPORARY


@dataclass(frozen=True, slots=True)
class Step:
    """What a step came to, over all replicas."""

    loss: float = 0.0
    ending: bool = False
    """Somebody was asked to end."""
    keeping: bool = False
    """The first one wants to keep a checkpoint."""


class Alone:
    """No others."""

    replica = Replica()

    def share(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """The samples of a batch that are this replica's."""
        return batch

    def reduce(self, parameters: Sequence[Any], loss: Any, share: float, step: Step) -> Step:  # noqa: ARG002
        """Make gradients and signals the same everywhere; see Together."""
        return Step(float(loss), step.ending, step.keeping)

    def means(self, tensors: Mapping[str, Any]) -> dict[str, NDArray[Any]]:  # noqa: ARG002
        """Means over all replicas of what each has measured on its own samples."""
        return {}


class Together:
    """This replica among others, who do the same steps at the same time."""

    def __init__(self, replica: Replica) -> None:
        """Meet the others.

        Raises:
            PeersLost: PeersMissing, they did not come in time.
        """
        self.replica = replica
        _meet(replica)
        _connect(replica)
        self._trained: list[Any] = []

    def share(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """The samples of a batch that are this replica's."""
        return batch[self.replica.index :: self.replica.count]

    def reduce(self, parameters: Sequence[Any], loss: Any, share: float, step: Step) -> Step:
        """Replace each gradient by that of the whole batch.

        Args:
            parameters: all that may have a gradient, in the same order everywhere.
            loss: the mean over this replica's samples.
            share: of the batch's samples that are this replica's.
            step: what this replica wishes.

        Returns:
            The whole batch's loss, and what any replica wishes.

        Raises:
            PeersLost: PeerLost.
        """
        self._trained = self._trained or [tensor for tensor in parameters if tensor.grad is not None]
        pieces = [tensor.grad.reshape([-1]) for tensor in self._trained]
        signals = paddle.to_tensor([float(step.ending), float(step.keeping)], "float32")
        flat = paddle.concat([*pieces, loss.detach().reshape([-1])]) * share
        total = self._sum(paddle.concat([flat, signals]))
        sizes = [int(np.prod(tensor.shape)) for tensor in self._trained]
        *gradients, came = paddle.split(total, [*sizes, SIGNALS])
        for tensor, gradient in zip(self._trained, gradients, strict=True):
            tensor.grad = gradient.reshape(tensor.shape)
        mean, ending, keeping = came.tolist()
        return Step(mean, ending > 0, keeping > 0)

    def means(self, tensors: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Means over all replicas of what each has measured on its own samples: all that has no gradient.

        Raises:
            PeersLost: PeerLost.
        """
        trained = {id(tensor) for tensor in self._trained}
        own = {
            name: tensor
            for name, tensor in tensors.items()
            if id(tensor) not in trained and tensor.dtype == paddle.float32
        }
        if not own:
            return {}
        flat = np.concatenate([tensor.numpy().ravel() for tensor in own.values()])
        total = self._sum(paddle.to_tensor(flat)).numpy() / np.float32(self.replica.count)
        ends = np.cumsum([int(np.prod(tensor.shape)) for tensor in own.values()])
        pieces = np.split(total, ends[:-1])
        return {
            name: piece.reshape(tensor.shape)
            for (name, tensor), piece in zip(own.items(), pieces, strict=True)
        }

    def _sum(self, flat: Any) -> Any:
        try:
            paddle.distributed.all_reduce(flat)
        except RuntimeError as error:
            raise PeersLost(
                "PeerLost",
                "Another pod of this training is gone or hangs: all begin again from the last checkpoint.",
            ) from error
        return flat


def join(replica: Replica, step: int, tensors: Mapping[str, Any]) -> Alone | Together:
    """Meet the other replicas, and begin where they begin.

    Args:
        replica: this one.
        step: where it would begin.
        tensors: of the network and all else that is trained; those of the first replica count.

    Raises:
        PeersLost: PeersMissing, PeerLost; CheckpointsDiffer, not all found the same checkpoint.
    """
    if replica.count == 1:
        return Alone()
    peers = Together(replica)
    # Sums of the steps and of their squares that fit one step leave no variance: all have the same.
    sums = peers._sum(paddle.to_tensor([float(step), float(step) ** 2], "float64")).tolist()  # noqa: SLF001
    if sums != [float(step) * replica.count, float(step) ** 2 * replica.count]:
        raise PeersLost("CheckpointsDiffer", "The pods of this training did not find the same checkpoint.")
    for tensor in tensors.values():
        paddle.distributed.broadcast(tensor, src=0)
    return peers


def _meet(replica: Replica) -> None:
    """Wait until all are there: Paddle's own start waits for ever, and its first sums half a minute only.

    The first one listens beside the port of its store and lets the others go when all have called.
    """
    host, port = replica.master.rpartition(":")[0], int(replica.master.rpartition(":")[2]) + 1
    deadline = time.monotonic() + replica.patience_seconds
    try:
        if replica.first:
            _gather(port, replica.count - 1, deadline)
        else:
            _report(host, port, deadline)
    except TimeoutError as error:
        raise PeersLost(
            "PeersMissing",
            f"Not all {replica.count} pods of this training were there within "
            f"{replica.patience_seconds:g} seconds; is there room for all of them in the cluster?",
        ) from error
    log.info("all replicas are here", extra={"fields": {"replicas": replica.count, "rank": replica.index}})


def _gather(port: int, others: int, deadline: float) -> None:
    waiting: list[socket.socket] = []
    with socket.create_server(("", port), backlog=others) as server:
        try:
            while len(waiting) < others:
                server.settimeout(max(0.01, deadline - time.monotonic()))
                waiting.append(server.accept()[0])
            for peer in waiting:
                peer.sendall(b"\x01")
        finally:
            for peer in waiting:
                peer.close()


def _report(host: str, port: int, deadline: float) -> None:
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        try:
            with socket.create_connection((host, port), timeout=min(5.0, left)) as connection:
                connection.settimeout(left)
                if connection.recv(1):
                    return
        except TimeoutError:
            continue
        except OSError:
            # Its pod is not there yet, or its name is not known yet.
            time.sleep(_POLL_SECONDS)


def _connect(replica: Replica) -> None:
    os.environ.update(
        {
            "PADDLE_TRAINERS_NUM": str(replica.count),
            "PADDLE_TRAINER_ID": str(replica.index),
            "PADDLE_DISTRI_BACKEND": "gloo",
            "PADDLE_MASTER": replica.master,
            # Asked for and never connected to by this back end.
            "PADDLE_CURRENT_ENDPOINT": f"127.0.0.1:{10_000 + replica.index}",
        }
    )
    # Whoever is lost just now leaves the others in a wait of Paddle's that has no end.
    watchdog = threading.Timer(120, os._exit, [int(ExitCode.TEMPORARY)])
    watchdog.daemon = True
    watchdog.start()
    try:
        paddle.distributed.init_parallel_env()
    finally:
        watchdog.cancel()
