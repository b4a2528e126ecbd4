"""The kinds that the operator reconciles: how each is observed, and which pure function decides about it.

Owns the table from kind to the two halves. Must not observe or decide anything itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic

from compression_operator.cluster.act import ClusterEffects
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.client import Client
from compression_operator.cluster.observe_compression import CompressionJobObserver
from compression_operator.cluster.observe_runtime import CompressionRuntimeObserver
from compression_operator.cluster.observe_target import ServingTargetObserver
from compression_operator.cluster.progress import ProgressReader
from compression_operator.cluster.reader import Reader
from compression_operator.cluster.resources import COMPRESSION_JOB, COMPRESSION_RUNTIME, SERVING_TARGET
from compression_operator.core import runtime
from compression_operator.core.actions import Decision
from compression_operator.core.compression.decide import decide as decide_compression
from compression_operator.core.promotion.decide import decide as decide_promotion
from compression_operator.engine.controller import Controller, Key, Look, Observation, Subject


@dataclass(frozen=True, slots=True)
class Pair(Generic[Subject]):
    """A controller out of an observer and a decision."""

    observer: Callable[[Key, Look], Awaitable[Observation[Subject] | None]]
    decision: Callable[[Subject, datetime], Decision]

    async def observe(self, key: Key, look: Look) -> Observation[Subject] | None:
        """See `Controller.observe`."""
        return await self.observer(key, look)

    def decide(self, subject: Subject, now: datetime) -> Decision:
        """See `Controller.decide`."""
        return self.decision(subject, now)


def controllers(reader: Reader, client: Client, keep_finished: timedelta) -> Mapping[str, Controller[Any]]:
    """One controller for each kind that has decisions; Promotions are decided about with their target.

    `keep_finished` is how long ended child Jobs are kept.
    """
    return {
        COMPRESSION_RUNTIME.kind: Pair(CompressionRuntimeObserver(reader).observe, runtime.decide),
        COMPRESSION_JOB.kind: Pair(CompressionJobObserver(reader, keep_finished).observe, decide_compression),
        SERVING_TARGET.kind: Pair(ServingTargetObserver(reader, client).observe, decide_promotion),
    }


async def follow(client: Client, cache: Cache, effects: ClusterEffects) -> None:
    """Show how far trainings are, beside the passes and decided by nothing."""
    await ProgressReader(client, cache, effects, lambda: datetime.now(UTC)).follow()
