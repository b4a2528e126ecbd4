"""Events: sentences on an object, each said once.

Owns the Event's name, a function of what it is about, so that a repeated pass meets its own Event and says
nothing twice, restarts included.
"""

from __future__ import annotations

import hashlib
import socket
from collections import OrderedDict
from datetime import datetime
from typing import Any, Final

from compression_operator.core.actions import Notice
from compression_operator.core.observed import Identity

COMPONENT: Final = "compression-operator"
CLUSTER_NAMESPACE: Final = "default"
"""Where Events about cluster-scoped objects go."""
MAX_NOTE: Final = 1024
MAX_REASON: Final = 128


def event_name(identity: Identity, notice: Notice) -> str:
    """`<object>.<hash>`: the same for the same notice about the same object."""
    digest = hashlib.sha256(f"{identity.uid}\n{notice.key}".encode()).hexdigest()[:16]
    return f"{identity.name[:200]}.{digest}"


def event(api_version: str, kind: str, identity: Identity, notice: Notice, now: datetime) -> dict[str, Any]:
    """A core/v1 Event about an object."""
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    regarding = {"apiVersion": api_version, "kind": kind, "name": identity.name, "uid": identity.uid}
    if identity.namespace:
        regarding["namespace"] = identity.namespace
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": event_name(identity, notice),
            "namespace": identity.namespace or CLUSTER_NAMESPACE,
        },
        "involvedObject": regarding,
        "reason": notice.reason[:MAX_REASON],
        "message": notice.message[:MAX_NOTE],
        "type": notice.kind,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": socket.gethostname()[:128],
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


class Said:
    """The names of the latest Events, so that most repetitions cost no call."""

    def __init__(self, size: int = 4096) -> None:
        self._names: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._size = size

    def __contains__(self, name: tuple[str, str]) -> bool:
        return name in self._names

    def add(self, name: tuple[str, str]) -> None:
        """Remember (namespace, name); the oldest one is forgotten when there are too many."""
        self._names[name] = None
        while len(self._names) > self._size:
            self._names.popitem(last=False)
