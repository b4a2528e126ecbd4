"""Which objects have to be looked at when one of them has changed.

Owns the map from a changed object to keys. Must not read the API server nor decide anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from compression_operator.cluster.cache import Cache
from compression_operator.cluster.projections import Raw, key_of, owner_of
from compression_operator.cluster.resources import (
    COMPRESSION_JOB,
    COMPRESSION_RUNTIME,
    DEPLOYMENT,
    MODEL_VERSION,
    PROMOTION,
    SERVING_TARGET,
)
from compression_operator.engine.controller import Key

_ENDED: Final = ("Complete", "Failed")
_DRAWING: Final = ("Pending", "Running")
"""States of a page about a run that has ended."""


class Routes:
    """From changes to keys, by what the cache knows of who refers to whom."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def of_own(self, kind: str, raw: Raw) -> Iterator[Key]:
        """After a change of one of our own objects."""
        key = key_of(raw, kind)
        match kind:
            case COMPRESSION_JOB.kind:
                if not self.at_rest(raw):
                    yield key
            case COMPRESSION_RUNTIME.kind:
                yield key
                yield from self._running()
                yield from self._cache.keys(SERVING_TARGET.kind)
            case MODEL_VERSION.kind:
                yield from self._cache.keys(SERVING_TARGET.kind)
            case PROMOTION.kind:
                yield from self._of_promotion(raw, key.namespace)
            case _:
                yield key

    def of_child(self, owner: Key) -> Key | None:
        """After a change of a child Job or its pod: whoever decides for its owner."""
        if owner.kind != PROMOTION.kind:
            return owner
        promotion = self._cache.get(owner)
        if promotion is None:
            return None
        return Key(SERVING_TARGET.kind, owner.namespace, str(promotion["spec"]["targetRef"]["name"]))

    def of_deployment(self, raw: Raw) -> Iterator[Key]:
        """After a change of a Deployment: the targets that name it, or that its preview was made for."""
        owner = owner_of(raw)
        if owner is not None and owner[0].kind == PROMOTION.kind:
            target = self.of_child(owner[0])
            if target is not None:
                yield target
            return
        key = key_of(raw, DEPLOYMENT.kind)
        for candidate in self._cache.keys(SERVING_TARGET.kind, key.namespace):
            target_raw = self._cache.get(candidate)
            if target_raw is not None and target_raw["spec"]["deploymentRef"]["name"] == key.name:
                yield candidate

    def _of_promotion(self, raw: Raw, namespace: str) -> Iterator[Key]:
        spec = raw.get("spec") or {}
        yield Key(SERVING_TARGET.kind, namespace, str((spec.get("targetRef") or {}).get("name") or ""))
        author = spec.get("requestedBy") or {}
        if author.get("kind") == COMPRESSION_JOB.kind and author.get("name"):
            yield Key(COMPRESSION_JOB.kind, namespace, str(author["name"]))

    def _running(self) -> Iterator[Key]:
        for key in self._cache.keys(COMPRESSION_JOB.kind):
            raw = self._cache.get(key)
            if raw is not None and not _ended(raw):
                yield key

    def at_rest(self, raw: Raw) -> bool:
        """Whether an ended run has nothing left to clean up or to expire: it is never looked at again."""
        if not _ended(raw):
            return False
        spec, uid = raw.get("spec") or {}, str(raw["metadata"].get("uid"))
        waits = spec.get("ttlSecondsAfterFinished") is not None or raw["metadata"].get("deletionTimestamp")
        drawing = ((raw.get("status") or {}).get("report") or {}).get("state") in _DRAWING
        return not waits and not drawing and not self._cache.children(uid)


def _ended(raw: Raw) -> bool:
    conditions = (raw.get("status") or {}).get("conditions") or ()
    return any(each.get("type") in _ENDED and each.get("status") == "True" for each in conditions)
