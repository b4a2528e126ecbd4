"""Places where channels can be rescaled without changing what a network computes.

A place is a tensor whose channels one layer or normalisation makes and only layers read: dividing a channel
where it is made, and multiplying the weights that read it, cancel out. Between the two may stand only what
commutes with a positive factor, such as ReLU; for a shift, only what moves values and changes none.

Owns finding such places. Must not know what the factors are for.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final

from compression_jobs.channels.trace import Operator, Trace, weight_of

_MOVING: Final = frozenset({"dropout", "assign", "transpose2", "flatten_contiguous_range"})
_COMMUTING: Final = _MOVING | {"relu", "leaky_relu", "pool2d", "nearest_interp_v2"}
_UNREAD: Final = frozenset({"shape"})
"""Operators that look at a tensor's form only."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A layer that reads a place."""

    weight: str
    kind: str
    """Its operator."""
    repeat: int
    """Neighbouring inputs of the weight that each channel has."""
    absorber: str
    """The bias, or the running mean behind it, that can take in a shift; empty where none can."""
    absorbs_negated: bool = False
    """Whether it is a mean, which is subtracted."""


@dataclass(frozen=True, slots=True)
class Place:
    """A tensor whose channels can be rescaled."""

    tensor: str
    scaled: tuple[tuple[str, int], ...]
    """The parameters that are divided, each with the axis of the channels."""
    shifted: str
    """The parameter that a shift is taken from; empty where the tensor cannot be shifted."""
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    tensor: str
    axis: int
    repeat: int = 1
    straight: bool = True


def find(trace: Trace) -> tuple[Place, ...]:
    """All places of a network, in its order."""
    uses = Counter(name for operator in trace.operators for name in set(operator.reads))
    places = []
    for operator in trace.operators:
        source = _source(trace, operator)
        if source is None:
            continue
        scaled, shifted, axis = source
        readings = _readings(trace, _Seen(operator.result, axis))
        names = [name for name, _ in scaled] + [reading.weight for reading in readings or ()]
        if not readings or any(uses[name] > 1 for name in names):
            continue
        movable = shifted if all(reading.absorber for reading in readings) else ""
        places.append(Place(operator.result, scaled, movable, readings))
    return tuple(places)


def _source(trace: Trace, operator: Operator) -> tuple[tuple[tuple[str, int], ...], str, int] | None:
    """What an operator makes channels with: parameters to divide, the one to shift, the channels' axis."""
    if operator.kind in {"batch_norm", "layer_norm"} and {"Scale", "Bias"} <= set(operator.inputs):
        rank = len(trace.shapes[operator.result])
        axis = 1 if operator.kind == "batch_norm" else rank - 1
        if operator.kind == "layer_norm" and operator.attributes.get("begin_norm_axis") != axis:
            return None
        bias = operator.input("Bias")
        return ((operator.input("Scale"), 0), (bias, 0)), bias, axis
    if operator.kind == "elementwise_add":
        bias = _bias_of(trace, operator)
        layer = trace.maker(operator.input("X"))
        weight = weight_of(layer, trace.parameters) if layer is not None else None
        if not bias or layer is None or weight is None or len(trace.readers(layer.result)) != 1:
            return None
        made, axis = _made_axis(trace, layer)
        return ((weight, made), (bias, 0)), bias, axis
    weight = weight_of(operator, trace.parameters)
    if weight is None or trace.shapes[weight][_made_axis(trace, operator)[0]] == 1:
        return None
    made, axis = _made_axis(trace, operator)
    return ((weight, made),), "", axis


def _made_axis(trace: Trace, layer: Operator) -> tuple[int, int]:
    """The axis of output channels in a layer's weight, and in its output."""
    if "Filter" not in layer.inputs:
        return 1, len(trace.shapes[layer.result]) - 1
    return (1 if "transpose" in layer.kind else 0), 1


def _readings(trace: Trace, seen: _Seen) -> tuple[Reading, ...] | None:
    """The layers that read a tensor, or None where something else does."""
    if seen.tensor in trace.outputs:
        return None
    found: list[Reading] = []
    for operator in trace.readers(seen.tensor):
        if operator.kind in _UNREAD:
            continue
        if weight_of(operator, trace.parameters) is not None:
            reading = _reading(trace, operator, seen)
            more: tuple[Reading, ...] | None = None if reading is None else (reading,)
        elif operator.kind in _COMMUTING:
            after = _behind(trace, operator, seen)
            more = None if after is None else _readings(trace, after)
        else:
            more = None
        if more is None:
            return None
        found += more
    return tuple(found)


def _behind(trace: Trace, operator: Operator, seen: _Seen) -> _Seen | None:
    """The channels in the result of an operator that commutes."""
    axis, repeat = seen.axis, seen.repeat
    shape = trace.shapes[seen.tensor]
    if operator.kind == "transpose2":
        axis = list(operator.attributes["axis"]).index(axis)
    elif operator.kind == "flatten_contiguous_range":
        start, stop = (int(operator.attributes[name]) % len(shape) for name in ("start_axis", "stop_axis"))
        if start != axis or any(length < 1 for length in shape[start : stop + 1]):
            return None
        repeat *= math.prod(shape[start + 1 : stop + 1])
    return _Seen(operator.result, axis, repeat, seen.straight and operator.kind in _MOVING)


def _reading(trace: Trace, operator: Operator, seen: _Seen) -> Reading | None:
    weight = weight_of(operator, trace.parameters)
    if weight is None or seen.tensor == weight:
        return None
    turned = any(
        operator.attributes.get(name) for name in ("trans_x", "trans_y", "transpose_X", "transpose_Y")
    )
    last = len(trace.shapes[seen.tensor]) - 1
    image = "Filter" in operator.inputs
    fits = (seen.axis == 1 and seen.repeat == 1) if image else (seen.axis == last and not turned)
    grouped = "transpose" in operator.kind and int(operator.attributes.get("groups", 1)) > 1
    if not fits or grouped:
        return None
    padded = (
        any(operator.attributes.get("paddings", ())) or operator.attributes.get("padding_algorithm") == "SAME"
    )
    movable = seen.straight and not (image and padded) and "transpose" not in operator.kind
    absorber, negated = _absorber(trace, operator) if movable else ("", False)
    return Reading(weight, operator.kind, seen.repeat, absorber, negated)


def _absorber(trace: Trace, layer: Operator) -> tuple[str, bool]:
    """The parameter that is added to a layer's output, or subtracted from it."""
    readers = [operator for operator in trace.readers(layer.result) if operator.kind not in _UNREAD]
    if len(readers) != 1:
        return "", False
    if readers[0].kind == "batch_norm":
        return readers[0].input("Mean"), True
    return (_bias_of(trace, readers[0]) if readers[0].kind == "elementwise_add" else ""), False


def _bias_of(trace: Trace, add: Operator) -> str:
    """The parameter of one axis that an addition adds, by way of a reshape where it needs one."""
    name = add.input("Y")
    maker = trace.maker(name)
    if maker is not None and maker.kind == "reshape2":
        name = maker.input("X")
    return name if name in trace.parameters and len(trace.shapes[name]) == 1 else ""
