"""What each operator does to channels.

Owns a rule for each operator that is understood; all others leave the channels they read whole. A rule may be
too careful, never too bold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from compression_jobs.channels.groups import Channels, View
from compression_jobs.channels.trace import Operator

Rule = Callable[[Channels, Operator], None]


def freeze_all(channels: Channels, operator: Operator) -> None:
    """For an operator that nothing is known of."""
    for name in operator.reads:
        if name in channels.views:
            channels.freeze(channels.views[name].group, f"operator {operator.kind} reads them")


def keep(channels: Channels, operator: Operator) -> None:
    """Each channel of the result is a function of the same channel of the input."""
    view = channels.views.get(operator.input("X"))
    if view is not None:
        channels.views[operator.result] = view


def convolution(channels: Channels, operator: Operator) -> None:
    """Filters make channels; a depthwise filter belongs to the channel that it reads."""
    weight, shape = operator.input("Filter"), channels.trace.shapes[operator.input("Filter")]
    view = channels.views.get(operator.input("Input"))
    count = int(operator.attributes.get("groups", 1) or 1)
    plain = view is not None and view.axis == 1 and view.repeat == 1
    if count == 1:
        made, read = (1, 0) if "transpose" in operator.kind else (0, 1)
        if view is not None and plain:
            channels.add(view.group, weight, read, "read")
        else:
            freeze_all(channels, operator)
        _make(channels, operator.result, weight, made, axis=1)
    elif view is not None and plain and shape[0] == count == channels.size(view.group) and shape[1] == 1:
        channels.add(view.group, weight, 0, "carried")
        channels.views[operator.result] = view
    else:
        freeze_all(channels, operator)


def product(channels: Channels, operator: Operator) -> None:
    """A fully connected layer makes channels on the last axis."""
    weight, source = operator.input("Y"), operator.input("X")
    view = channels.views.get(source)
    shapes = channels.trace.shapes
    turned = any(
        operator.attributes.get(name) for name in ("trans_x", "trans_y", "transpose_X", "transpose_Y")
    )
    plain = weight in channels.trace.parameters and len(shapes[weight]) == 2 and not turned
    if not plain:
        freeze_all(channels, operator)
        return
    if view is not None and view.axis == len(shapes[source]) - 1:
        channels.add(view.group, weight, 0, "read", view.repeat)
    elif view is not None:
        freeze_all(channels, operator)
    _make(channels, operator.result, weight, 1, axis=len(shapes[operator.result]) - 1)


def normalisation(channels: Channels, operator: Operator) -> None:
    """Batch normalisation keeps four numbers for each channel."""
    view = channels.views.get(operator.input("X"))
    if view is None or view.axis != 1 or view.repeat != 1:
        freeze_all(channels, operator)
        return
    for slot in ("Scale", "Bias", "Mean", "Variance"):
        channels.add(view.group, operator.input(slot), 0, "carried")
    channels.views[operator.result] = view


def elementwise(channels: Channels, operator: Operator) -> None:
    """What is added or multiplied channel by channel is the same channels."""
    known = channels.trace
    one, other = operator.input("X"), operator.input("Y")
    if other in known.parameters and one in channels.views:
        _with_parameter(channels, operator, channels.views[one], other)
        return
    views = [channels.views.get(name) for name in (one, other)]
    lengths = [math.prod(abs(length) for length in known.shapes[name]) for name in (one, other)]
    if None in views:
        tracked = next((view for view in views if view is not None), None)
        # A single number changes all channels alike.
        if tracked is not None and lengths[views.index(None)] == 1:
            channels.views[operator.result] = tracked
            return
        freeze_all(channels, operator)
        return
    first, second = (view for view in views if view is not None)
    ranks = {len(known.shapes[name]) for name in (one, other)}
    if len(ranks) > 1 or first.axis != second.axis or first.repeat != second.repeat:
        freeze_all(channels, operator)
        return
    channels.join(first.group, second.group)
    channels.views[operator.result] = first


def reshape(channels: Channels, operator: Operator) -> None:
    """A bias brought to the rank of what it is added to, or an image made a row; nothing else."""
    source, shapes = operator.input("X"), channels.trace.shapes
    if source in channels.trace.parameters and len(shapes[source]) == 1:
        group = channels.new(shapes[source][0])
        channels.add(group, source, 0, "carried")
        lengths = shapes[operator.result]
        if lengths.count(1) == len(lengths) - 1:
            _view(channels, operator.result, group, lengths.index(max(lengths)))
        else:
            channels.freeze(group, "a parameter is reshaped")
        return
    before, after = shapes[source], shapes[operator.result]
    if source in channels.views and len(after) == 2 and after[1] == math.prod(before[1:]) > 0:
        _flatten(channels, operator, 1, len(before) - 1)
        return
    freeze_all(channels, operator)


def flatten(channels: Channels, operator: Operator) -> None:
    """Axes made one; where the channels are the first of them each has a run of neighbours."""
    rank = len(channels.trace.shapes[operator.input("X")])
    start, stop = (int(operator.attributes[name]) % rank for name in ("start_axis", "stop_axis"))
    _flatten(channels, operator, start, stop)


def transpose(channels: Channels, operator: Operator) -> None:
    """The channels' axis moves."""
    view = channels.views.get(operator.input("X"))
    if view is not None:
        axis = list(operator.attributes["axis"]).index(view.axis)
        channels.views[operator.result] = replace(view, axis=axis)


def squeeze(channels: Channels, operator: Operator) -> None:
    """Axes of length one come or go before that of the channels."""
    source = operator.input("X")
    view = channels.views.get(source)
    axes = [int(axis) for axis in operator.attributes.get("axes", ())]
    if view is None or not axes:
        freeze_all(channels, operator)
        return
    grows = operator.kind == "unsqueeze2"
    rank = len(channels.trace.shapes[operator.result if grows else source])
    axis = view.axis
    for other in sorted(axis % rank for axis in axes):
        if grows and other <= axis:
            axis += 1
    axis -= 0 if grows else sum(other % rank < view.axis for other in axes)
    channels.views[operator.result] = replace(view, axis=axis)


def reduction(channels: Channels, operator: Operator) -> None:
    """A mean, sum or maximum over other axes than that of the channels."""
    view = channels.views.get(operator.input("X"))
    if view is None:
        return
    rank = len(channels.trace.shapes[operator.input("X")])
    axes = {int(axis) % rank for axis in operator.attributes.get("dim", ())}
    if operator.attributes.get("reduce_all") or not axes or view.axis in axes:
        freeze_all(channels, operator)
        return
    gone = 0 if operator.attributes.get("keep_dim") else sum(axis < view.axis for axis in axes)
    channels.views[operator.result] = replace(view, axis=view.axis - gone)


def concatenation(channels: Channels, operator: Operator) -> None:
    """Tensors behind each other along another axis have the same channels."""
    views = [channels.views.get(name) for name in operator.inputs["X"]]
    axis = int(operator.attributes["axis"]) % len(channels.trace.shapes[operator.inputs["X"][0]])
    first = views[0]
    alike = all(
        first is not None and view is not None and (view.axis, view.repeat) == (first.axis, first.repeat)
        for view in views
    )
    if first is None or not alike or first.axis == axis:
        freeze_all(channels, operator)
        return
    for view in views:
        if view is not None:
            channels.join(first.group, view.group)
    channels.views[operator.result] = first


def _make(channels: Channels, result: str, weight: str, weight_axis: int, axis: int) -> None:
    group = channels.new(channels.trace.shapes[weight][weight_axis])
    channels.add(group, weight, weight_axis, "made")
    _view(channels, result, group, axis)


def _view(channels: Channels, tensor: str, group: int, axis: int) -> None:
    channels.views[tensor] = View(group, axis)


def _with_parameter(channels: Channels, operator: Operator, view: View, parameter: str) -> None:
    shapes = channels.trace.shapes
    rank, shape = len(shapes[operator.input("X")]), shapes[parameter]
    if math.prod(shape) == 1:
        channels.views[operator.result] = view
        return
    axis = int(operator.attributes.get("axis", -1))
    start = rank - len(shape) if axis == -1 else axis
    if len(shape) != 1 or start != view.axis or view.repeat != 1:
        freeze_all(channels, operator)
        return
    channels.add(view.group, parameter, 0, "carried")
    channels.views[operator.result] = view


def _flatten(channels: Channels, operator: Operator, start: int, stop: int) -> None:
    view = channels.views.get(operator.input("X"))
    if view is None:
        return
    shape = channels.trace.shapes[operator.input("X")]
    if view.axis < start:
        channels.views[operator.result] = view
    elif view.axis > stop:
        channels.views[operator.result] = replace(view, axis=view.axis - (stop - start))
    elif view.axis == start and all(length > 0 for length in shape[start + 1 : stop + 1]):
        run = math.prod(shape[start + 1 : stop + 1])
        channels.views[operator.result] = replace(view, repeat=view.repeat * run)
    else:
        freeze_all(channels, operator)


_KEEPING: Final = (
    *("relu", "relu6", "leaky_relu", "hard_swish", "hard_sigmoid", "sigmoid", "tanh", "gelu"),
    *("swish", "silu", "mish", "elu", "softplus", "dropout", "scale", "clip", "assign", "cast", "abs"),
    *("pool2d", "nearest_interp_v2", "bilinear_interp_v2", "nearest_interp", "bilinear_interp"),
)
RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(_KEEPING, keep),
    **dict.fromkeys(
        ("conv2d", "depthwise_conv2d", "conv2d_transpose", "depthwise_conv2d_transpose"), convolution
    ),
    **dict.fromkeys(("matmul_v2", "matmul"), product),
    **dict.fromkeys(
        tuple(f"elementwise_{name}" for name in ("add", "sub", "mul", "div", "max", "min")), elementwise
    ),
    **dict.fromkeys(("reduce_mean", "reduce_sum", "reduce_max"), reduction),
    "batch_norm": normalisation,
    "reshape2": reshape,
    "flatten_contiguous_range": flatten,
    "transpose2": transpose,
    "squeeze2": squeeze,
    "unsqueeze2": squeeze,
    "concat": concatenation,
}
