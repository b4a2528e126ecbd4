"""Observing a CompressionJob.

Owns what has to be read for a decision about them, and no more: nothing that this stage of the run does not
look at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from compression_operator.api import CompressionJob, CompressionRuntime
from compression_operator.cluster.parsing import parse
from compression_operator.cluster.projections import identity_of
from compression_operator.cluster.reader import Reader
from compression_operator.cluster.resources import (
    COMPRESSION_JOB,
    COMPRESSION_RUNTIME,
    MODEL_VERSION,
    PROMOTION,
    SERVING_TARGET,
    ResourceType,
)
from compression_operator.core import names
from compression_operator.core.compression.observed import ObservedCompression, Runtime
from compression_operator.engine.controller import Key, Look, Observation


class CompressionJobObserver:
    """Reads what a decision about a CompressionJob looks at."""

    def __init__(self, reader: Reader, keep_finished: timedelta) -> None:
        self._reader = reader
        self._keep_finished = keep_finished

    async def observe(self, key: Key, look: Look) -> Observation[ObservedCompression] | None:
        """See `Controller.observe`."""
        raw, fresh = await self._reader.own(COMPRESSION_JOB, key.namespace, key.name, fresh=look.fresh)
        if raw is None:
            return None
        job: CompressionJob = parse(CompressionJob, raw, key)
        identity = identity_of(raw)
        seen = ObservedCompression(
            identity=identity,
            spec=job.spec,
            status=job.status,
            runtime=await self._runtime(job.spec.runtime_ref.name),
            namespace_labels=await self._namespace_labels(key.namespace, job),
            children=await self._reader.children(key.namespace, identity.uid),
            conflicts=look.conflicts,
            keep_finished=self._keep_finished,
        )
        if job.status.image is not None:
            seen = await self._with_release(seen, job.status.image.manifest_digest)
        return Observation(identity, raw["status"], fresh, seen)

    async def _runtime(self, name: str) -> Runtime | None:
        raw, _ = await self._reader.own(COMPRESSION_RUNTIME, "", name)
        if raw is None:
            return None
        runtime: CompressionRuntime = parse(CompressionRuntime, raw, Key(COMPRESSION_RUNTIME.kind, "", name))
        return Runtime(name, identity_of(raw).generation, runtime.spec)

    async def _namespace_labels(self, namespace: str, job: CompressionJob) -> Mapping[str, str]:
        # They are looked at once, when the run is accepted; from then on the snapshot holds.
        if job.status.runtime_snapshot is not None:
            return {}
        return await self._reader.namespace_labels(namespace)

    async def _with_release(self, seen: ObservedCompression, digest: str) -> ObservedCompression:
        namespace = seen.identity.namespace
        version = await self._reader.one(
            MODEL_VERSION, namespace, names.model_version(seen.spec.model.name, digest)
        )
        targets = [target.name for target in seen.spec.promotion.targets]
        promotions = await self._all(
            PROMOTION, namespace, [names.promotion(name, digest) for name in targets]
        )
        serving = await self._all(SERVING_TARGET, namespace, targets)
        return replace(
            seen,
            model_version=version,
            promotions=tuple(promotions),
            target_uids={raw["metadata"]["name"]: raw["metadata"]["uid"] for raw in serving},
        )

    async def _all(
        self, resource: ResourceType, namespace: str, wanted: list[str]
    ) -> list[Mapping[str, Any]]:
        found = await asyncio.gather(*(self._reader.own(resource, namespace, name) for name in wanted))
        return [raw for raw, _ in found if raw is not None]
