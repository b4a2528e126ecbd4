"""Which axes of which parameters are the same channels of a network.

A filter that goes takes with it everything that is kept for its channel: the normalisation behind it, the
inputs of the layers that read it, and the filters of every layer whose output is added to it (Li et al. 2017,
section 3.3; Fang et al. 2023, DepGraph, for the general case). Here each tensor's channels belong to a group,
and operators join groups.

Owns groups and how they become one. Must not know operators.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from compression_jobs.channels.trace import Trace

Role = Literal["made", "read", "carried"]


@dataclass(frozen=True, slots=True)
class Member:
    """An axis of a parameter that is the channels of a group."""

    parameter: str
    axis: int
    repeat: int
    """Neighbouring entries of the axis that each channel has: a flattened image has one for each pixel."""
    role: Role
    """Whether the layer makes the channels, reads them, or keeps something for each of them."""


@dataclass(frozen=True, slots=True)
class Group:
    """Channels that go together."""

    size: int
    members: tuple[Member, ...]
    frozen: str
    """Why none of them may go; empty where they may."""

    def made_by(self) -> tuple[str, ...]:
        """The weights whose filters these channels are."""
        return tuple(member.parameter for member in self.members if member.role == "made")


@dataclass(frozen=True, slots=True)
class View:
    """A tensor's channels."""

    group: int
    axis: int
    repeat: int = 1


@dataclass(slots=True)
class _Draft:
    size: int
    members: list[Member] = field(default_factory=list)
    frozen: str = ""


class Channels:
    """The groups of a network while its operators are read."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.views: dict[str, View] = {}
        self._drafts: list[_Draft] = []
        self._parents: list[int] = []

    def new(self, size: int) -> int:
        """A group of its own."""
        self._drafts.append(_Draft(size))
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def root(self, group: int) -> int:
        """The group that a group has become."""
        while self._parents[group] != group:
            group = self._parents[group]
        return group

    def join(self, one: int, other: int) -> None:
        """Say that two groups are the same channels."""
        one, other = self.root(one), self.root(other)
        if one == other:
            return
        first, second = self._drafts[one], self._drafts[other]
        first.members += second.members
        first.frozen = first.frozen or second.frozen
        if first.size != second.size:
            first.frozen = "tensors of different widths meet"
        self._parents[other] = one

    def add(self, group: int, parameter: str, axis: int, role: Role, repeat: int = 1) -> None:
        """Say that an axis of a parameter is a group's channels."""
        self._drafts[self.root(group)].members.append(Member(parameter, axis, repeat, role))

    def freeze(self, group: int, reason: str) -> None:
        """Leave a group whole."""
        draft = self._drafts[self.root(group)]
        draft.frozen = draft.frozen or reason

    def size(self, group: int) -> int:
        """Channels of a group."""
        return self._drafts[self.root(group)].size

    def finished(self) -> tuple[Group, ...]:
        """All groups that a weight makes; those with a parameter that is used twice are frozen."""
        uses: dict[tuple[str, int], int] = {}
        for place, draft in enumerate(self._drafts):
            for member in draft.members if self.root(place) == place else ():
                uses[member.parameter, member.axis] = uses.get((member.parameter, member.axis), 0) + 1
        groups = []
        for place, draft in enumerate(self._drafts):
            if self.root(place) != place or not any(member.role == "made" for member in draft.members):
                continue
            shared = any(uses[member.parameter, member.axis] > 1 for member in draft.members)
            frozen = draft.frozen or ("a weight is used in two places" if shared else "")
            groups.append(Group(draft.size, tuple(draft.members), frozen))
        return tuple(groups)
