"""Observing a CompressionRuntime, which stands alone."""

from __future__ import annotations

from compression_operator.api import CompressionRuntime
from compression_operator.cluster.parsing import parse
from compression_operator.cluster.projections import identity_of
from compression_operator.cluster.reader import Reader
from compression_operator.cluster.resources import COMPRESSION_RUNTIME
from compression_operator.core.runtime import ObservedRuntime
from compression_operator.engine.controller import Key, Look, Observation


class CompressionRuntimeObserver:
    """Reads what a decision about a CompressionRuntime looks at."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def observe(self, key: Key, look: Look) -> Observation[ObservedRuntime] | None:
        """See `Controller.observe`."""
        raw, fresh = await self._reader.own(COMPRESSION_RUNTIME, "", key.name, fresh=look.fresh)
        if raw is None:
            return None
        runtime: CompressionRuntime = parse(CompressionRuntime, raw, key)
        identity = identity_of(raw)
        return Observation(
            identity, raw["status"], fresh, ObservedRuntime(identity, runtime.spec, runtime.status)
        )
