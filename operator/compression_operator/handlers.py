"""kopf's handlers: each turns an event into something remembered and a key in the queue, nothing else.

Owns the registration with kopf and kopf's settings. Only `on.event` is used: it writes nothing to objects,
and none of kopf's own state (diffs, progress, finalizers, peering) takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import kopf
import structlog

from compression_contract.keys import LABEL_PROMOTABLE, LABEL_ROLE
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.credentials import login
from compression_operator.cluster.projections import Raw, key_of
from compression_operator.cluster.resources import (
    COMPRESSION_JOB,
    DEPLOYMENT,
    JOB,
    OWN_KINDS,
    POD,
    ResourceType,
)
from compression_operator.engine.controller import Key
from compression_operator.routing import Routes

DELETED: Final = "DELETED"
_log = structlog.get_logger(__name__)


class NoDiff(kopf.DiffBaseStorage):  # type: ignore[misc] # kopf is untyped here
    """Keeps no last-seen state: kopf would copy each object for it, most of its work, and nobody reads it."""

    def build(self, *, body: Any, extra_fields: Any = None) -> None:
        """No essence of the object."""

    def fetch(self, *, body: Any) -> None:
        """None was kept."""

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Nothing to keep."""


def kopf_settings() -> kopf.OperatorSettings:
    """kopf, tuned for events alone."""
    settings = kopf.OperatorSettings()
    settings.persistence.diffbase_storage = NoDiff()
    # An idle worker of kopf holds the last object it saw: 5 s of it is most of the memory at start-up.
    settings.queueing.idle_timeout = 0.1
    settings.queueing.exit_timeout = 0.2
    settings.posting.enabled = False
    settings.peering.standalone = True
    # Namespaces and CRDs are named by our settings, not discovered.
    settings.scanning.disabled = True
    settings.watching.chunk_size = 100
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.watching.label_selectors[JOB.group, JOB.version, JOB.plural] = LABEL_ROLE
    settings.watching.label_selectors[POD.group, POD.version, POD.plural] = LABEL_ROLE
    settings.watching.label_selectors[DEPLOYMENT.group, DEPLOYMENT.version, DEPLOYMENT.plural] = (
        LABEL_PROMOTABLE
    )
    return settings


class Handlers:
    """What is done with an event; `add` takes a key that wants a look."""

    def __init__(
        self,
        cache: Cache,
        add: Callable[[Key], None],
        seen: Callable[[str], None] = lambda _resource: None,
    ) -> None:
        self._cache = cache
        self._routes = Routes(cache)
        self._add = add
        self._seen = seen

    def register(
        self, registry: kopf.OperatorRegistry, own_kinds: Iterable[ResourceType] = OWN_KINDS
    ) -> None:
        """Subscribe to our kinds, and to children and Deployments by label."""
        kopf.on.login(registry=registry)(login)
        for resource in own_kinds:
            self._subscribe(registry, resource, partial(self.own, resource.kind))
        self._subscribe(registry, JOB, self.job)
        self._subscribe(registry, POD, self.pod)
        self._subscribe(registry, DEPLOYMENT, self.deployment)

    def own(self, kind: str, event: str | None, raw: Raw) -> None:
        """An object of ours."""
        if event == DELETED:
            keys = list(self._routes.of_own(kind, raw))
            self._cache.drop(kind, raw)
        elif self._cache.put(kind, raw):
            keys = list(self._routes.of_own(kind, raw))
            if kind == COMPRESSION_JOB.kind and self._routes.at_rest(raw):
                self._cache.put_to_rest(key_of(raw, kind))
        else:
            return
        for key in keys:
            self._add(key)

    def job(self, event: str | None, raw: Raw) -> None:
        """A child Job."""
        self._wake(self._cache.drop_job(raw) if event == DELETED else self._cache.put_job(raw))

    def pod(self, event: str | None, raw: Raw) -> None:
        """A pod of a child Job."""
        self._wake(self._cache.drop_pod(raw) if event == DELETED else self._cache.put_pod(raw))

    def deployment(self, _event: str | None, raw: Raw) -> None:
        """A Deployment that is a target, or a preview; whatever happened, the target is looked at."""
        for key in self._routes.of_deployment(raw):
            self._add(key)

    def _wake(self, owner: Key | None) -> None:
        if owner is not None and (key := self._routes.of_child(owner)) is not None:
            self._add(key)

    def _subscribe(
        self,
        registry: kopf.OperatorRegistry,
        resource: ResourceType,
        handle: Callable[[str | None, Raw], None],
    ) -> None:
        async def on_event(event: Any, **_: Any) -> None:
            self._seen(resource.plural)
            try:
                handle(event["type"], event["object"])
            except Exception:  # noqa: BLE001 - one odd object must not end the watch of all others
                # kopf logs and forgets; so would we lose an event without a trace of which one.
                meta = event["object"].get("metadata") or {}
                _log.exception(
                    "an event was not understood",
                    kind=resource.kind,
                    namespace=meta.get("namespace"),
                    name=meta.get("name"),
                )

        # kopf tells handlers apart by name and refuses two of one name on one resource.
        on_event.__name__ = on_event.__qualname__ = f"on_{resource.kind}"
        group = resource.group or ""
        kopf.on.event(group, resource.version, resource.plural, registry=registry)(on_event)
