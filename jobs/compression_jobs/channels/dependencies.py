"""The channel groups of a whole network.

An operator that is not known to keep channels apart freezes the groups it reads: what is not understood is
left whole. PaddleSlim's pruner takes such an operator to be harmless, and leaves a copy of every weight in
the network that it prunes, which is why it is not used.

Owns the walk over a network. Must not know criteria, nor change a network.
"""

from __future__ import annotations

from collections.abc import Mapping

from compression_jobs.channels.groups import Channels, Group, View
from compression_jobs.channels.rules import RULES, freeze_all
from compression_jobs.channels.trace import Trace


def groups_of(trace: Trace) -> tuple[Group, ...]:
    """The channel groups of a network, in the order of their first layers."""
    channels = Channels(trace)
    for name in trace.inputs:
        shape = trace.shapes[name]
        if len(shape) > 1 and shape[1] > 0:
            group = channels.new(shape[1])
            channels.freeze(group, "these are the network's inputs")
            channels.views[name] = View(group, 1)
    for operator in trace.operators:
        RULES.get(operator.kind, freeze_all)(channels, operator)
    for name in trace.outputs:
        if name in channels.views:
            channels.freeze(channels.views[name].group, "these are the network's outputs")
    return channels.finished()


def by_producer(groups: tuple[Group, ...]) -> Mapping[str, Group]:
    """Each group by the weights that make it."""
    return {weight: group for group in groups for weight in group.made_by()}
