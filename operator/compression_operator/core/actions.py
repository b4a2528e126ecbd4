"""What a decision may ask for: the few effects that the operator has on a cluster.

Owns the vocabulary between `decide` and the code that acts. Every effect is idempotent by name, so that a
pass may be repeated after a crash at any point. Must not know how an effect is carried out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object unless one of its name exists.

    An existing one is adopted only if its controller owner and its input hash are those of `body`; otherwise
    the pass reports it as a name conflict.
    """

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object if it still is the one that was seen."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    propagation: Literal["Background", "Foreground"] = "Background"


@dataclass(frozen=True, slots=True)
class ApplyImage:
    """Server-side apply of one container's image and our annotations to a Deployment that is not ours.

    `uid` and `resource_version` make it a compare-and-swap: a deleted, re-created or changed Deployment
    refuses it.
    """

    namespace: str
    deployment: str
    uid: str
    resource_version: str
    container: str
    image: str
    annotations: Mapping[str, str]
    force: bool = False


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace the status of another object than the reconciled one, as a compare-and-swap."""

    api_version: str
    kind: str
    namespace: str
    name: str
    resource_version: str
    status: Mapping[str, Any]


Action = Create | Delete | ApplyImage | WriteStatus


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event: a sentence about something that happened once.

    `key` makes its name, so that a repeated pass does not say it again.
    """

    key: str
    reason: str
    message: str
    kind: Literal["Normal", "Warning"] = "Normal"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one pass found missing, in the order of carrying it out.

    First the status, as a compare-and-swap on the object that was observed: it holds the receipts of what is
    done and the intent of what comes next. Then the actions, in order. Then the notices. A crash between any
    two is repaired by the next pass, which sees the intent without its effect and repeats it.
    """

    status: Mapping[str, Any] | None = None
    """The whole new status; None leaves it as it is."""
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None
    """When to look again without an event; None waits for one."""
