"""Reading objects for an observation: from the cache where it may be trusted, else from the API server.

Owns the choice between the two. Must not know what the objects are for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from compression_operator.cluster.cache import Cache, slim
from compression_operator.cluster.client import Client, Json
from compression_operator.cluster.errors import NotFoundError
from compression_operator.cluster.resources import NAMESPACE, POD, ResourceType
from compression_operator.core.observed import ChildJob
from compression_operator.engine.controller import Key

JOB_UID_LABEL = "batch.kubernetes.io/controller-uid"
"""Set by the Job controller on each of its pods (since Kubernetes 1.27)."""


class Reader:
    """The reading half of the cluster."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self._client = client
        self.cache = cache

    async def own(
        self, resource: ResourceType, namespace: str, name: str, *, fresh: bool = False
    ) -> tuple[Json | None, bool]:
        """An object of ours, and whether it was read from the API server just now; None if there is none.

        The cache holds each object as the latest watch event or our own latest write showed it. Absence there
        proves nothing, so the API server is asked then as well.
        """
        key = Key(resource.kind, namespace, name)
        if not fresh and (known := self.cache.get(key)) is not None:
            return known, False
        raw = await self.one(resource, namespace, name)
        if raw is None:
            return None, True
        self.cache.put(resource.kind, raw)
        return slim(raw), True

    async def one(self, resource: ResourceType, namespace: str, name: str) -> Json | None:
        """An object as the API server has it now; None if there is none."""
        try:
            return await self._client.get(resource, namespace, name)
        except NotFoundError:
            return None

    async def some(self, resource: ResourceType, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """The objects of a namespace that carry all these labels, as the API server has them now."""
        if not labels:
            # An empty selector would mean every object.
            return []
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        pages = self._client.pages(resource, namespace, selector)
        return [item async for page in pages for item in page.get("items") or ()]

    async def namespace_labels(self, namespace: str) -> dict[str, str]:
        """The labels of a namespace; empty if it does not exist."""
        raw = await self.one(NAMESPACE, "", namespace)
        return dict(((raw or {}).get("metadata") or {}).get("labels") or {})

    async def children(self, namespace: str, owner_uid: str) -> tuple[ChildJob, ...]:
        """The Jobs of an owner with their pods.

        A Job that has ended while the watch has not shown how its pod ended is asked about once: the two
        watches are not ordered, and a result must not be taken for lost because its event is late.
        """
        unanswered = self.cache.unanswered(owner_uid)
        await asyncio.gather(*(self._ask(namespace, job) for job in unanswered))
        return self.cache.children(owner_uid)

    async def _ask(self, namespace: str, job: ChildJob) -> None:
        self.cache.answered(job.uid, await self.some(POD, namespace, {JOB_UID_LABEL: job.uid}))


def by_owner(items: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Objects by the uid of their controller."""
    found = {}
    for item in items:
        for reference in item["metadata"].get("ownerReferences") or ():
            if reference.get("controller"):
                found[str(reference["uid"])] = item
    return found
