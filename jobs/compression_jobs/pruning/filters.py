"""Cutting the filters of a network.

Owns the order trace, choose, cut, trace again, and what is told of it. Must not train.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import Pruning
from compression_contract.results import ModelSize
from compression_jobs import networks
from compression_jobs.channels.dependencies import groups_of
from compression_jobs.channels.groups import Group, Member
from compression_jobs.channels.reading import trace
from compression_jobs.channels.trace import Trace
from compression_jobs.errors import InvalidInput
from compression_jobs.models import Architecture
from compression_jobs.pruning.criteria import CRITERIA, kept
from compression_jobs.pruning.surgery import Shape, replace_parameters

log = logging.getLogger(__name__)

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of a network."""

    before: ModelSize
    after: ModelSize
    shapes: Mapping[str, Shape]
    """Of every parameter that was cut, by its name in the network's state."""


def prune(network: Any, architecture: Architecture, given: Pruning) -> Pruned:
    """Cut filters, in place.

    Layers are judged in their order, each by what the cuts before it left of its filters (Li et al. 2017,
    section 3.2, the greedy way).

    Args:
        network: it is changed, and left in evaluation mode.
        architecture: what it is.
        given: criterion, ratio and the layers to leave whole.

    Raises:
        InvalidInput: LayerUnknown, PruningImpossible.
    """
    shape, kind = architecture.input_shape, architecture.input_type
    found = trace(network, shape, kind)
    state = {tensor.name: name for name, tensor in network.state_dict().items()}
    excluded = _excluded(network, given.exclude)
    values: dict[str, NDArray[np.float32]] = {}
    for group in groups_of(found):
        reason = group.frozen or ("" if excluded.isdisjoint(group.made_by()) else "the author left it whole")
        names = ", ".join(state[weight] for weight in group.made_by())
        if reason:
            log.info("left whole", extra={"fields": {"weights": names, "because": reason}})
            continue
        _cut(network, state, group, given, values)
    if not values:
        raise InvalidInput(
            "PruningImpossible",
            f"No filter of this network can be cut at ratio {given.ratio:g}: each layer is excluded, has too "
            "few filters, or its channels cannot be followed; raise prune.ratio, shorten prune.exclude, or "
            "leave the step out.",
        )
    before = size_of(network, found)
    replace_parameters(network, values)
    after = size_of(network, trace(network, shape, kind))
    told = {"parameters": [before.parameters, after.parameters]}
    log.info("filters cut", extra={"fields": {**told, "operations": [before.operations, after.operations]}})
    return Pruned(before, after, {name: value.shape for name, value in values.items()})


def size_of(network: Any, found: Trace) -> ModelSize:
    """What a network holds and computes."""
    return ModelSize(parameters=networks.parameters(network), operations=found.multiplications)


def _cut(
    network: Any,
    state: Mapping[str, str],
    group: Group,
    given: Pruning,
    values: dict[str, NDArray[np.float32]],
) -> None:
    """Put what is left of a group's parameters into `values`."""
    tensors = network.state_dict()

    def current(member: Member) -> NDArray[np.float32]:
        name = state[member.parameter]
        value: NDArray[np.float32] = values[name] if name in values else tensors[name].numpy()
        return value

    makers = [
        np.moveaxis(current(member), member.axis, 0) for member in group.members if member.role == "made"
    ]
    staying = kept(makers, CRITERIA[given.criterion], given.ratio)
    if len(staying) == group.size:
        return
    for member in group.members:
        values[state[member.parameter]] = np.take(
            current(member), spread(staying, member.repeat), member.axis
        )


def spread(channels: Indices, repeat: int) -> Indices:
    """The entries of an axis that hold some channels, where each channel has a run of `repeat` of them."""
    runs = channels[:, np.newaxis] * repeat + np.arange(repeat)
    return runs.reshape(-1)


def _excluded(network: Any, paths: Collection[str]) -> set[str]:
    weights = {
        path: layer.weight.name
        for path, layer in network.named_sublayers()
        if getattr(layer, "weight", None) is not None and len(layer.weight.shape) > 1
    }
    unknown = sorted(set(paths) - set(weights))
    if unknown:
        raise InvalidInput(
            "LayerUnknown",
            f"The student has no layer {unknown[0]!r} to exclude from pruning; its layers are "
            f"{', '.join(weights)}.",
        )
    return {weights[path] for path in paths}
