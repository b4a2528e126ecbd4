"""What the engine asks of a kind: look at an object, decide what is missing.

Owns the vocabulary between the engine and its surroundings. Must not know any kind, nor how an object is read
or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from compression_operator.core.actions import Action, Decision, Notice
from compression_operator.core.observed import Identity

Subject = TypeVar("Subject")


class Key(NamedTuple):
    """Which object to look at; `namespace` is empty for a cluster-scoped kind."""

    kind: str
    namespace: str
    name: str


class StaleError(Exception):
    """The object has changed since it was looked at: look again, decide again."""


class GoneError(Exception):
    """The object, or its whole namespace, is going away: there is nothing left to do for it."""


class NameTakenError(Exception):
    """An object of the wanted name exists and is somebody else's."""

    def __init__(self, kind: str, name: str, why: str) -> None:
        super().__init__(f"{kind} {name} exists and is not ours: {why}")
        self.taken = f"{kind}/{name}"


class RefusedError(Exception):
    """The API server said no, and will until somebody changes something: a right, a quota, a policy."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Look:
    """How to look: `fresh` reads the object from the API server, whatever a cache knows of it."""

    fresh: bool = False
    conflicts: frozenset[str] = frozenset()
    """`Kind/name` of objects that an earlier try of this pass found to be somebody else's."""


@dataclass(frozen=True, slots=True)
class Observation(Generic[Subject]):
    """One object as it was seen.

    `status` is the raw status that a write will be compared with; `fresh` says that it was read from the API
    server during this pass; `subject` is what the kind's decision looks at.
    """

    identity: Identity
    status: Mapping[str, Any]
    fresh: bool
    subject: Subject


class Controller(Protocol[Subject]):
    """One kind of object: how to see it and what to decide."""

    async def observe(self, key: Key, look: Look) -> Observation[Subject] | None:
        """Everything that a decision about the object depends on; None if there is no such object."""
        ...

    def decide(self, subject: Subject, now: datetime) -> Decision:
        """What is missing. Pure."""
        ...


class Effects(Protocol):
    """How a decision is carried out. Whatever is raised beside the errors above is tried again later."""

    async def write_status(
        self, key: Key, identity: Identity, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> bool:
        """Write the whole status as a compare-and-swap; False if the API server kept what it had.

        Raises:
            StaleError: the object has changed.
            GoneError: the object is gone.
        """
        ...

    async def perform(self, action: Action) -> None:
        """Carry out one action.

        Raises:
            StaleError, GoneError, NameTakenError, RefusedError.
        """
        ...

    async def announce(self, key: Key, identity: Identity, notice: Notice) -> None:
        """Say it once, as an Event. Never raises for want of a listener."""
        ...


class Listener(Protocol):
    """Who wants to know what the engine does, for metrics and logs."""

    def passed(self, key: Key, seconds: float, outcome: str) -> None:
        """A reconciliation ended; `outcome` is a short word out of a small set."""
        ...

    def status_written(self, key: Key, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """A status was replaced."""
        ...
