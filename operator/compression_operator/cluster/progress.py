"""Reading how far trainings are: the last lines of their pods' logs, one pod after the other.

Owns the budget: a few reads a second in all, however many trainings run, and at most one write in a while for
each job. A line is data from outside and for people only: whatever goes wrong here is left aside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from compression_contract.progress import MAX_TAIL_BYTES, newest
from compression_operator.api import CompressionJob
from compression_operator.cluster.act import ClusterEffects
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.client import Client, Json, Tail
from compression_operator.cluster.errors import ApiError, ForbiddenError, NotFoundError
from compression_operator.cluster.parsing import parse
from compression_operator.cluster.projections import identity_of
from compression_operator.core.compression.progress import LEAST, Training, noted
from compression_operator.core.manifests.pod import STAGE
from compression_operator.core.observed import PodView
from compression_operator.engine.controller import GoneError, Key, RefusedError, StaleError

READS_PER_SECOND: Final = 2.0
LINES: Final = 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """A training's first pod."""

    owner: Key
    job_name: str
    pod: PodView


class ProgressReader:
    """Follows trainings, round robin."""

    def __init__(
        self, client: Client, cache: Cache, effects: ClusterEffects, clock: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._cache = cache
        self._effects = effects
        self._clock = clock
        self._read: dict[str, datetime] = {}
        """When each pod was read last, by uid."""
        self._warned = False

    async def follow(self) -> None:
        """Read on until cancelled."""
        while True:
            await asyncio.sleep(1.0 / READS_PER_SECOND)
            try:
                await self.read_one()
            except (StaleError, GoneError, RefusedError, NotFoundError) as error:
                # Somebody else has written, or the pod is gone: the next line says more anyway.
                _log.debug("progress was not noted", error=str(error))
            except ForbiddenError as error:
                self._warn(error)
            except ApiError as error:
                _log.debug("progress was not read", error=str(error))
            except Exception:  # noqa: BLE001 - one odd pod must not end the view on all others
                _log.exception("progress was not understood")

    async def read_one(self) -> bool:
        """Read the log that was not read for the longest time, if any is due. True: a status was written."""
        due = self._due()
        if due is None:
            return False
        self._read[due.pod.uid] = self._clock()
        tail = Tail(STAGE, LINES, MAX_TAIL_BYTES)
        told = newest(await self._client.tail(due.owner.namespace, due.pod.name, tail))
        raw = self._cache.get(due.owner)
        if told is None or raw is None:
            return False
        job = parse(CompressionJob, raw, due.owner)
        after = noted(Training(job.spec, job.status, due.job_name), told, self._clock())
        return after is not None and await self._write(due.owner, raw, after.to_dict())

    async def _write(self, owner: Key, raw: Json, after: dict[str, Any]) -> bool:
        return await self._effects.write_status(owner, identity_of(raw), raw["status"], after)

    def _due(self) -> Running | None:
        now = self._clock()
        running = [Running(*found) for found in self._cache.running("train")]
        present = {each.pod.uid for each in running}
        self._read = {uid: at for uid, at in self._read.items() if uid in present}
        oldest = datetime.min.replace(tzinfo=UTC)
        following = min(running, key=lambda each: self._read.get(each.pod.uid, oldest), default=None)
        if following is None or now - self._read.get(following.pod.uid, oldest) < LEAST:
            return None
        return following

    def _warn(self, error: ForbiddenError) -> None:
        if not self._warned:
            _log.warning(
                "progress of trainings is not shown: the right to pods/log is missing", error=str(error)
            )
        self._warned = True
