"""Outliers of activations moved into weights, before any range is chosen.

One grid holds all channels of an activation, so a channel with large values leaves few numbers to the
others. Smooth divides each channel by max|X|^alpha / max|W|^(1-alpha) and multiplies the weights that read it
(SmoothQuant, Xiao et al. 2023, equation 4); Shift centres each channel on zero, which the biases behind take
in (Outlier Suppression+, Wei et al. 2023, section 4.1). The network computes the same, only its rounding
changes.

PaddleSlim's layers of these names look for pairs by the numbers in names of transformer layers, and compute
in half precision; these are our own, for any network.

Owns the factors and where they go. Must not quantise.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.channels.places import Place, Reading, find
from compression_jobs.channels.reading import trace
from compression_jobs.errors import InvalidInput
from compression_jobs.models import Architecture
from compression_jobs.quantizers.ranges import Range, layers_of

ALPHA: Final = 0.5
_TINY: Final = 1e-5

Numbers = NDArray[np.float64]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Treatment:
    """What to do about outliers."""

    shift: bool
    smooth: bool
    alpha: float = ALPHA
    """How much of the difficulty the weights take: 0 nothing of the activations' outliers, 1 all."""


def treatment(outlier: str, alpha: float | None) -> Treatment | None:
    """From the job's words.

    Raises:
        InvalidInput: SmoothAlphaInvalid.
    """
    if outlier == "None":
        return None
    chosen = ALPHA if alpha is None else alpha
    if not 0 <= chosen <= 1:
        raise InvalidInput(
            "SmoothAlphaInvalid", f"ptq.smoothAlpha is {chosen:g}; it must lie between 0 and 1."
        )
    return Treatment(outlier in {"Shift", "ShiftSmooth"}, outlier in {"Smooth", "ShiftSmooth"}, chosen)


def suppress(network: Any, architecture: Architecture, ranges: Mapping[str, Range], wanted: Treatment) -> int:
    """Rescale a network's channels, in place.

    Args:
        network: it is changed, and left in evaluation mode.
        architecture: what it is.
        ranges: what each layer reads, from `ranges.observe` of this network.
        wanted: shift, smooth or both.

    Returns:
        At how many places.

    Raises:
        InvalidInput: OutlierNotApplicable, the network has no place for what is wanted.
    """
    reached = {layer.weight.name: ranges.get(path) for path, layer in layers_of(network).items()}
    places = [
        place
        for place in find(trace(network, architecture.input_shape, architecture.input_type))
        if all(reached.get(reading.weight) is not None for reading in place.readings)
    ]
    movable = [place for place in places if place.shifted]
    if (wanted.shift and not movable) or not places:
        raise _not_applicable(wanted.shift and not movable and bool(places))
    parameters = {tensor.name: tensor for tensor in network.state_dict().values()}
    chosen = places if wanted.smooth else movable
    for place in chosen:
        low, high = _reach(place, reached)
        if wanted.shift and place.shifted:
            middle = (low + high) / 2
            _shift(parameters, place, middle)
            low, high = low - middle, high - middle
        if wanted.smooth:
            _scale(parameters, place, np.maximum(np.abs(low), np.abs(high)), wanted.alpha)
    told = {"places": len(chosen), "shifted": len(movable) if wanted.shift else 0}
    log.info("outliers moved into weights", extra={"fields": told})
    return len(chosen)


def smoothing(activations: Numbers, weights: Numbers, alpha: float) -> Numbers:
    """The factor of each channel (Xiao et al. 2023, equation 4).

    Args:
        activations: largest absolute values, [channels].
        weights: largest absolute weights that read each channel, [channels].
        alpha: 0..1.

    Returns:
        [channels]; 1 where a channel or its weights are zero throughout.
    """
    usable = (activations > _TINY) & (weights > _TINY)
    safe = np.where(usable, activations, 1.0) ** alpha / np.where(usable, weights, 1.0) ** (1 - alpha)
    return np.where(usable, np.maximum(safe, _TINY), 1.0)


def _reach(place: Place, reached: Mapping[str, Range | None]) -> tuple[Numbers, Numbers]:
    """Smallest and largest value of each channel, as any layer reads it."""
    lows, highs = [], []
    for reading in place.readings:
        found = reached[reading.weight]
        if found is not None:
            lows.append(found.low.astype(np.float64).reshape(-1, reading.repeat).min(axis=1))
            highs.append(found.high.astype(np.float64).reshape(-1, reading.repeat).max(axis=1))
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _scale(parameters: Mapping[str, Any], place: Place, largest: Numbers, alpha: float) -> None:
    channels = len(largest)
    weights = np.max([_by_input(parameters, reading, channels) for reading in place.readings], axis=0)
    factors = smoothing(largest, weights, alpha)
    for name, axis in place.scaled:
        value = parameters[name].numpy().astype(np.float64)
        _set(parameters, name, value / factors.reshape([-1 if at == axis else 1 for at in range(value.ndim)]))
    for reading in place.readings:
        value = parameters[reading.weight].numpy().astype(np.float64)
        _set(parameters, reading.weight, value * _aligned(value.shape, reading, factors))


def _shift(parameters: Mapping[str, Any], place: Place, middle: Numbers) -> None:
    _set(parameters, place.shifted, parameters[place.shifted].numpy() - middle)
    for reading in place.readings:
        weight = parameters[reading.weight].numpy().astype(np.float64)
        product = weight * _aligned(weight.shape, reading, middle)
        added = product.reshape(len(weight), -1).sum(axis=1) if weight.ndim > 2 else product.sum(axis=0)
        old = parameters[reading.absorber].numpy()
        _set(parameters, reading.absorber, old - added if reading.absorbs_negated else old + added)


def _aligned(shape: tuple[int, ...], reading: Reading, channels: Numbers) -> Numbers:
    """A number for each channel in the form of a weight that reads them."""
    if len(shape) == 2:
        return np.repeat(channels, reading.repeat)[:, np.newaxis]
    if "transpose" in reading.kind:
        return channels.reshape(-1, 1, 1, 1)
    # Each filter reads the channels of its group: all of them, or one where the layer is depthwise.
    groups = len(channels) // shape[1]
    rows = np.repeat(channels.reshape(groups, shape[1]), shape[0] // groups, axis=0)
    return rows[:, :, np.newaxis, np.newaxis]


def _by_input(parameters: Mapping[str, Any], reading: Reading, channels: int) -> Numbers:
    """The largest absolute weight that reads each channel."""
    weight = np.abs(parameters[reading.weight].numpy().astype(np.float64))
    if weight.ndim == 2:
        return np.asarray(weight.max(axis=1).reshape(-1, reading.repeat).max(axis=1))
    if "transpose" in reading.kind:
        return np.asarray(weight.max(axis=(1, 2, 3)))
    groups = channels // weight.shape[1]
    return np.asarray(weight.max(axis=(2, 3)).reshape(groups, -1, weight.shape[1]).max(axis=1).reshape(-1))


def _set(parameters: Mapping[str, Any], name: str, value: Numbers) -> None:
    parameters[name].set_value(value.astype(np.float32))


def _not_applicable(shift_alone: bool) -> InvalidInput:
    if shift_alone:
        return InvalidInput(
            "OutlierNotApplicable",
            "No normalisation or layer of this network is read directly, without an activation function or "
            "padding between, by layers that could take in a shift; set ptq.outlier to Smooth or None.",
        )
    return InvalidInput(
        "OutlierNotApplicable",
        "No normalisation or layer of this network is read by other layers alone, with nothing but ReLU or "
        "pooling between, so that outliers could move into their weights; set ptq.outlier to None.",
    )
