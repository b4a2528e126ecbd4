"""The two ports for machines: metrics and readiness, and liveness.

Owns HTTP serving. The process is alive as long as its event loop answers; it is ready when it either waits
for the Lease or has begun to work. kopf has a liveness port of its own, which a standby replica would not
have, as kopf starts only after the Lease is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from compression_operator.settings import Settings


@dataclass(slots=True)
class Readiness:
    """What the process is doing, in one word: starting, standby, leading."""

    state: str = "starting"

    @property
    def ready(self) -> bool:
        """Whether a rollout of the operator may go on to the next replica."""
        return self.state in {"standby", "leading"}


class HealthServer:
    """Serves /metrics and /readyz on one port, /healthz on the other."""

    def __init__(self, settings: Settings, registry: CollectorRegistry, readiness: Readiness) -> None:
        self._settings = settings
        self._registry = registry
        self._readiness = readiness
        self._runners: list[web.AppRunner] = []
        self.ports: tuple[int, ...] = ()
        """The ports that were bound: metrics, liveness."""

    async def __aenter__(self) -> Self:
        pages = web.Application()
        pages.add_routes([web.get("/metrics", self._metrics), web.get("/readyz", self._readyz)])
        alive = web.Application()
        alive.add_routes([web.get("/healthz", self._healthz)])
        await self._serve(pages, self._settings.metrics_port)
        await self._serve(alive, self._settings.liveness_port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and close every connection."""
        while self._runners:
            await self._runners.pop().cleanup()

    async def _serve(self, app: web.Application, port: int) -> None:
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self._settings.address, port).start()
        self.ports += (runner.addresses[0][1],)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        )

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.Response(text=f"{self._readiness.state}\n", status=200 if self._readiness.ready else 503)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")
