"""Fake quantisers that learn their grids.

LSQ+ (Bhalgat et al. 2020) learns the step, and for activations the offset; PACT (Choi et al. 2018) learns
where to clip. PaddleSlim 2.6 has layers of both names: its offset moves towards the step, not towards the
data (lsq_act.py, collect_gaussian), no exporter writes it, and its PACT begins at a limit of 1000 whatever
the data; so these are our own.

Each works on the very grid that is deployed: activations on the whole numbers 0..255 around a whole zero
point, weights on -127..127. Steps are learned as the logarithm of their growth (as in Jain et al. 2020, TQT):
they stay positive, and one learning rate suits steps of any size under Adam.

Owns formulas and gradients. Must not know networks.
"""

from __future__ import annotations

import math
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_jobs.framework import nn, paddle

Numbers = NDArray[np.float32]

LARGEST_WEIGHT: Final = 127
LARGEST: Final = 255
MIDDLE: Final = 128
_TINY: Final = 1e-8
_PULL: Final = 1e-4
"""Strength of the pull of PACT's limit towards zero (Choi et al. 2018, section 3), per unit of its start."""


class ActivationQuanter(Protocol):
    """A learned grid of activations."""

    def grid(self) -> tuple[float, int]:
        """Step and zero point, of numbers 0..255."""
        ...


def round_through(values: paddle.Tensor) -> paddle.Tensor:
    """Round; the gradient passes as if nothing had been rounded (Bengio et al. 2013, straight-through)."""
    return values + (paddle.round(values) - values).detach()


def scale_gradient(values: paddle.Tensor, factor: float) -> paddle.Tensor:
    """The same values with a smaller gradient (Esser et al. 2020, LSQ, appendix A)."""
    return values * factor + (values * (1 - factor)).detach()


class LearnedWeightSteps(nn.Layer):  # type: ignore[misc]
    """LSQ+ for weights: a symmetric grid for each output channel.

    Args:
        weight: begins with steps that reach three standard deviations (Bhalgat et al. 2020, section 4.1).
        axis: of output channels.
    """

    def __init__(self, weight: Numbers, axis: int) -> None:
        super().__init__()
        rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
        mean, spread = rows.mean(axis=1), rows.std(axis=1)
        reach = np.maximum(np.abs(mean - 3 * spread), np.abs(mean + 3 * spread))
        # A grid beyond the largest weight would only be coarser.
        reach = np.minimum(reach, np.abs(rows).max(axis=1))
        start = np.maximum(reach / LARGEST_WEIGHT, _TINY).astype(np.float32)
        self._shape = [-1 if place == axis else 1 for place in range(weight.ndim)]
        self._factor = 1 / math.sqrt(rows.shape[1] * LARGEST_WEIGHT)
        self.register_buffer("start", paddle.to_tensor(start))
        self.growth = _parameter(self, len(start))

    def forward(self, weight: paddle.Tensor) -> paddle.Tensor:
        """The weight as the grid has it."""
        steps = scale_gradient(self.start * self.growth.exp(), self._factor).reshape(self._shape)
        return round_through((weight / steps).clip(-LARGEST_WEIGHT, LARGEST_WEIGHT)) * steps

    def steps(self) -> Numbers:
        """[channels]."""
        found: Numbers = (self.start * self.growth.exp()).numpy()
        return found


class LearnedGrid(nn.Layer):  # type: ignore[misc]
    """LSQ+ for activations: a step, and an offset where values of both signs occur.

    The paper's offset is -step * zero point; the zero point is rounded, so that zero, and with it padding,
    is a number of the grid.

    Args:
        low: where the grid begins, at most 0; where it is 0 there is no offset to learn.
        high: where it ends.
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        low, high = min(low, 0.0), max(high, 0.0)
        step = max((high - low) / LARGEST, _TINY)
        self.register_buffer("start", _tensor(step))
        self.register_buffer("start_zero", _tensor(float(np.clip(-low / step, 0, LARGEST))))
        self.register_buffer("free", _tensor(float(low < 0)))
        self.growth = _parameter(self, 1)
        self.shift = _parameter(self, 1)
        """Of the zero point, in units of the whole grid."""

    def forward(self, values: paddle.Tensor) -> paddle.Tensor:
        """The values as the grid has them."""
        factor = 1 / math.sqrt(math.prod(values.shape[1:]) * LARGEST)
        step = scale_gradient(self.start * self.growth.exp(), factor)
        zero = round_through(scale_gradient(self._zero(), factor))
        inside = paddle.minimum(paddle.maximum(values / step, -zero), LARGEST - zero)
        return round_through(inside) * step

    def grid(self) -> tuple[float, int]:
        """See ActivationQuanter."""
        return float(self.start * self.growth.exp()), int(paddle.round(self._zero()))

    def _zero(self) -> paddle.Tensor:
        return (self.start_zero + self.free * self.shift * LARGEST).clip(0, LARGEST)


class LearnedLimit(nn.Layer):  # type: ignore[misc]
    """PACT: values are clipped at a learned limit, and the grid fills what is left.

    Args:
        low: the smallest value that was seen; below 0 the values are clipped on both sides.
        high: the largest.
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        both = low < 0
        self._zero = MIDDLE if both else 0
        self._above = LARGEST - self._zero
        self.register_buffer("start", _tensor(max(high, -low if both else 0.0, _TINY)))
        pull = paddle.ParamAttr(
            initializer=nn.initializer.Constant(1.0), regularizer=paddle.regularizer.L2Decay(_PULL)
        )
        self.share = self.create_parameter([1], attr=pull)
        """The limit, in units of its start."""

    def forward(self, values: paddle.Tensor) -> paddle.Tensor:
        """The values as the grid has them."""
        limit = self._limit()
        lowest = limit * (-self._zero / self._above)
        clipped = paddle.minimum(paddle.maximum(values, lowest), limit)
        step = (limit / self._above).detach()
        return clipped + (paddle.round(clipped / step) * step - clipped).detach()

    def grid(self) -> tuple[float, int]:
        """See ActivationQuanter."""
        return float(self._limit() / self._above), self._zero

    def _limit(self) -> paddle.Tensor:
        return self.start * self.share.clip(min=1e-3)


def _parameter(layer: Any, length: int) -> Any:
    return layer.create_parameter([length], default_initializer=nn.initializer.Constant(0.0))


def _tensor(value: float) -> paddle.Tensor:
    return paddle.to_tensor([value], dtype="float32")
