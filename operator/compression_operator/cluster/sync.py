"""Lists that come before and beside the watches.

Owns two things a watch cannot do: show children before their parents are looked at, and show that something
vanished while the watch was broken. Must not decide what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from compression_contract.keys import LABEL_ROLE
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.client import Client
from compression_operator.cluster.errors import ApiError, NotFoundError
from compression_operator.cluster.projections import uid_of, version_of
from compression_operator.cluster.resources import COMPRESSION_RUNTIME, JOB, OWN_KINDS, POD, ResourceType
from compression_operator.engine.controller import Key

ALL_NAMESPACES: Final = ("",)
_log = structlog.get_logger(__name__)


class NotInstalledError(Exception):
    """The API server does not know one of our kinds."""


async def check_kinds(client: Client, kinds: Sequence[ResourceType] = OWN_KINDS) -> None:
    """Fail early and by name if a CRD is not installed.

    Raises:
        NotInstalledError: it is not.
    """
    for resource in kinds:
        try:
            async for _ in client.pages(resource, size=1, metadata_only=True):
                break
        except NotFoundError as error:
            crd = f"{resource.plural}.{resource.group}"
            raise NotInstalledError(
                f"the CRD {crd} is not installed: install the chart, or kubectl apply --server-side -f crds/"
            ) from error


class Synchroniser:
    """Fills the cache before the first pass, and compares it with the API server now and then."""

    def __init__(
        self,
        client: Client,
        cache: Cache,
        namespaces: Sequence[str],
        selector: str = LABEL_ROLE,
    ) -> None:
        self._client = client
        self._cache = cache
        self._namespaces = tuple(namespaces) or ALL_NAMESPACES
        self._selector = selector

    async def fill(self) -> None:
        """Children first, then what many parents refer to; parents come with their watch."""
        await self._jobs()
        for namespace in self._namespaces:
            async for page in self._client.pages(POD, namespace, self._selector):
                for item in page.get("items") or ():
                    self._cache.put_pod(item)
        async for page in self._client.pages(COMPRESSION_RUNTIME):
            for item in page.get("items") or ():
                self._cache.put(COMPRESSION_RUNTIME.kind, item)
        _log.info("children listed", **self._cache.counts())

    async def _jobs(self) -> None:
        for namespace in self._namespaces:
            async for page in self._client.pages(JOB, namespace, self._selector):
                for item in page.get("items") or ():
                    self._cache.put_job(item)

    async def vanished(self) -> list[Key]:
        """The owners of those Jobs that are remembered and no longer there.

        A watch that was cut off for too long begins with a new list, in which a deleted object is merely
        absent. Only metadata is read, a page at a time.
        """
        listed: dict[str, int] = {}
        oldest: int | None = None
        for namespace in self._namespaces:
            pages = self._client.pages(JOB, namespace, self._selector, metadata_only=True)
            async for page in pages:
                version = version_of(page)
                oldest = version if oldest is None else min(oldest, version)
                listed |= {uid_of(item): version_of(item) for item in page.get("items") or ()}
        return self._cache.drop_unlisted(listed, oldest or 0)

    async def keep(self, seconds: float, found: Callable[[Key], None]) -> None:
        """Look for vanished Jobs every so often, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            try:
                for key in await self.vanished():
                    found(key)
            except ApiError as error:
                _log.warning("children could not be listed", error=str(error))
