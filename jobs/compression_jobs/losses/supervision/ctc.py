"""Supervision of recognisers: connectionist temporal classification (Graves et al. 2006).

Owns the loss and what teachers teach frame by frame. Outputs are raw scores [n, frames, classes + 1] with the
blank as class 0; soft targets are probabilities of the same shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.framework import functional, paddle
from compression_jobs.losses.supervision.combining import COMBINATIONS, Floats, mixed, softened
from compression_jobs.readers.base import Targets


class CTC:
    """See the module."""

    def loss(self, output: paddle.Tensor, targets: Targets) -> paddle.Tensor:
        """Minus the log-likelihood of the symbols over all alignments, by symbol, averaged over samples.

        Raises:
            InvalidData: SequenceTooLong, no alignment has room for the symbols.
        """
        return paddle.mean(_unlikelihood(output, targets))

    def soft_targets(
        self, outputs: Floats, targets: Targets, weights: Floats, combine: str, temperature: float
    ) -> Floats:
        """The mixture of the teachers' softened probabilities of each frame.

        A teacher is as confident in a whole sequence as the likelihood, by symbol, that it gives to the true
        symbols: nothing says which symbol is right in a single frame.
        """
        with paddle.no_grad():
            knowledge = np.stack(
                [-_unlikelihood(paddle.to_tensor(output), targets).numpy() for output in outputs]
            )
        return mixed(softened(outputs, temperature), COMBINATIONS[combine].shares(knowledge, weights))

    def distance(self, output: paddle.Tensor, soft: paddle.Tensor, temperature: float) -> paddle.Tensor:
        """The KL divergence of a frame's softened probabilities from the teachers', averaged over frames."""
        frames = functional.log_softmax(output / temperature, axis=-1)
        return functional.kl_div(frames, soft, reduction="sum") / (output.shape[0] * output.shape[1])


def _unlikelihood(output: paddle.Tensor, targets: Targets) -> paddle.Tensor:
    """Minus the log-likelihood of each sample's symbols by their number, [n]."""
    labels, lengths = _padded(targets, output.shape[1])
    samples, frames, _ = output.shape
    # Without any symbol Paddle's CTC ends the process: empty samples get one, which is not counted.
    given = np.maximum(lengths, 1)
    losses = functional.ctc_loss(
        paddle.transpose(output, [1, 0, 2]),
        paddle.to_tensor(labels),
        paddle.to_tensor(np.full(samples, frames, np.int64)),
        paddle.to_tensor(given),
        blank=0,
        reduction="none",
    ).reshape([-1])
    silence = -functional.log_softmax(output, axis=-1)[:, :, 0].sum(axis=1)
    losses = paddle.where(paddle.to_tensor(lengths > 0), losses, silence)
    return losses / paddle.to_tensor(given.astype(np.float32))


def _padded(targets: Targets, frames: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The symbols [n, longest] filled up with ones, and how many are meant."""
    symbols, offsets = targets["symbols"], targets["offsets"]
    lengths = np.diff(offsets).astype(np.int64)
    labels = np.ones((len(lengths), max(1, int(lengths.max()))), np.int32)
    labels[np.arange(labels.shape[1]) < lengths[:, np.newaxis]] = symbols[offsets[0] : offsets[-1]]
    # Between two equal symbols there must be a blank.
    doubled = (labels[:, 1:] == labels[:, :-1]) & (np.arange(1, labels.shape[1]) < lengths[:, np.newaxis])
    needed = lengths + doubled.sum(axis=1)
    if needed.max() > frames:
        raise InvalidData(
            "SequenceTooLong",
            f"A sample has {int(lengths[needed.argmax()])} symbols, which need {int(needed.max())} frames, "
            f"the network gives {frames}; choose another student.arch or shorter texts.",
        )
    return labels, lengths
