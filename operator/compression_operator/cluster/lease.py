"""Leadership by a coordination.k8s.io Lease: one process writes, the others wait.

Owns acquiring, renewing, releasing, and the fence that each write passes. The Lease saves work; correctness
does not hang on it, as every write is a compare-and-swap or named deterministically.
Source of the algorithm: client-go `tools/leaderelection`; another's life is measured on our own clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from compression_operator.cluster.client import Client, Json
from compression_operator.cluster.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    NotFoundError,
)
from compression_operator.cluster.resources import LEASE

_log = structlog.get_logger(__name__)
MICROTIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds: how long others believe in us, how long we do, how often we try.

    `deadline` is below `duration`, so that we stop before anybody else begins.
    """

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0


class Lease:
    """One process's view of the Lease."""

    def __init__(
        self,
        client: Client,
        place: tuple[str, str],
        identity: str,
        terms: Terms | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._namespace, self._name = place
        self._identity = identity
        self._terms = terms or Terms()
        self._clock = clock
        self._seen: tuple[str, str] = ("", "")
        self._seen_at = 0.0
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether writes are still ours; no longer once the renewal is overdue, even in a thawed process."""
        return self._clock() < self._until

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        while not await self._try():  # noqa: ASYNC110 - another process holds it, no event of ours will tell
            # A free Lease is contended for at once; one that is held is looked at now and then.
            await asyncio.sleep(self._terms.retry if self._seen[0] else self._terms.retry / 10)
        _log.info("lease acquired", lease=self._name, identity=self._identity)

    async def hold(self) -> None:
        """Renew until the Lease is lost; then return."""
        while self.held:
            await asyncio.sleep(self._terms.retry)
            try:
                async with asyncio.timeout(max(self._until - self._clock(), 0.01)):
                    if not await self._try() and self._seen[0] not in ("", self._identity):
                        break
            except TimeoutError:
                continue
        self._until = 0.0
        _log.error("lease lost", lease=self._name, holder=self._seen[0])

    async def release(self) -> None:
        """Hand the Lease over, so that the next one need not wait for it to expire."""
        self._until = self._clock() + self._terms.retry
        try:
            found = await self._client.get(LEASE, self._namespace, self._name)
            if (found.get("spec") or {}).get("holderIdentity") == self._identity:
                found["spec"].update(holderIdentity="", leaseDurationSeconds=1, renewTime=_now())
                await self._client.replace(LEASE, self._namespace, self._name, found)
        except ApiError as error:
            _log.warning("the lease was not released; it will expire", error=str(error))
        finally:
            self._until = 0.0

    async def _try(self) -> bool:
        asked = self._clock()
        try:
            won = await self._take(asked)
        except (AlreadyExistsError, ConflictError):
            return False
        except ApiError as error:
            _log.warning("the lease could not be renewed", error=str(error))
            return False
        if won:
            self._until = asked + self._terms.deadline
            self._seen = (self._identity, self._seen[1])
        return won

    async def _take(self, asked: float) -> bool:
        try:
            found = await self._client.get(LEASE, self._namespace, self._name)
        except NotFoundError:
            await self._client.create(LEASE, self._namespace, self._fresh())
            return True
        spec: dict[str, Any] = found.setdefault("spec", {})
        holder = str(spec.get("holderIdentity") or "")
        seen = (holder, str(spec.get("renewTime") or ""))
        if seen != self._seen:
            self._seen, self._seen_at = seen, asked
        alive = asked - self._seen_at < float(spec.get("leaseDurationSeconds") or self._terms.duration)
        if holder not in ("", self._identity) and alive:
            return False
        if holder != self._identity:
            spec.update(acquireTime=_now(), leaseTransitions=int(spec.get("leaseTransitions") or 0) + 1)
        spec.update(self._claim())
        # The resourceVersion within makes this a compare-and-swap: of two who try, one meets a conflict.
        await self._client.replace(LEASE, self._namespace, self._name, found)
        return True

    def _claim(self) -> Json:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(int(self._terms.duration), 1),
            "renewTime": _now(),
        }

    def _fresh(self) -> Json:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {**self._claim(), "acquireTime": _now(), "leaseTransitions": 0},
        }


def _now() -> str:
    return datetime.now(UTC).strftime(MICROTIME)
