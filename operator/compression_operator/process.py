"""The operator's life: what has to be there, in which order things start, and in which they end.

Start: health ports, API server, CRDs and policies, Lease, children, workers, watches. End: watches, workers,
Lease, in this order, so that nothing is written by a process that has let the Lease go. Must not know which
kinds it serves.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import kopf
import structlog

from compression_operator.cluster.act import ClusterEffects
from compression_operator.cluster.admission import missing_policies
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.client import Client
from compression_operator.cluster.credentials import Credentials, login
from compression_operator.cluster.lease import Lease
from compression_operator.cluster.reader import Reader
from compression_operator.cluster.resources import ResourceType
from compression_operator.cluster.sync import Synchroniser, check_kinds
from compression_operator.engine.controller import Controller
from compression_operator.engine.reconciler import Reconciler
from compression_operator.engine.runner import Engine
from compression_operator.handlers import Handlers, kopf_settings
from compression_operator.routing import Routes
from compression_operator.settings import PREFIX, Settings
from compression_operator.telemetry.health import HealthServer, Readiness
from compression_operator.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)


class StartError(Exception):
    """The operator cannot start like this; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the operator is made of beside its machinery: which kinds it watches, and how it decides."""

    kinds: tuple[ResourceType, ...]
    controllers: Callable[[Reader, Client], Mapping[str, Controller[Any]]]
    beside: Callable[[Client, Cache, ClusterEffects], Coroutine[Any, Any, None]] | None = None
    """What runs beside the passes while this process leads; it must not raise."""


async def run(settings: Settings, parts: Parts) -> None:
    """Run the operator until a signal, or until the Lease is lost.

    Raises:
        StartError, NotInstalledError, NoCredentialsError: something is missing; the message says what to do.
    """
    process = Process(settings, parts, Metrics(), Readiness())
    credentials = Credentials(login())
    async with (
        HealthServer(settings, process.metrics.registry, process.readiness) as health,
        Client(credentials, process.metrics.called) as client,
        Client(credentials, process.metrics.called) as lease_client,
    ):
        await check_kinds(client, process.parts.kinds)
        await _check_admission(settings, client)
        lease = _lease(settings, lease_client)
        if lease is None:
            await process.lead(client, health)
            return
        process.readiness.state = "standby"
        if not await _until_signal(asyncio.create_task(lease.acquire())):
            return
        client.fence = _fence(lease)
        # Created before kopf starts: at its end kopf waits for every task that is younger than itself.
        holding = asyncio.create_task(lease.hold(), name="lease")
        leading = asyncio.create_task(process.lead(client, health), name="leader")
        await asyncio.wait({holding, leading}, return_when=asyncio.FIRST_COMPLETED)
        if holding.done():
            # Whoever holds the Lease now is writing: not one more statement of ours may run.
            os._exit(1)
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        await lease.release()
        await leading


@dataclass(frozen=True, slots=True)
class Process:
    """One running operator."""

    settings: Settings
    parts: Parts
    metrics: Metrics
    readiness: Readiness

    async def lead(self, client: Client, health: HealthServer) -> None:
        """Be the one that writes, until a signal."""
        cache = Cache()
        engine, effects = self._engine(client, cache)
        sync = Synchroniser(client, cache, self.settings.served)
        await sync.fill()
        registry = kopf.OperatorRegistry()
        Handlers(cache, engine.add, self.metrics.watched).register(registry, self.parts.kinds)

        async def close_ports(**_: object) -> None:
            # kopf would wait five seconds for connections that a scraper keeps open.
            await health.close()

        kopf.on.cleanup(registry=registry)(close_ports)
        engine.start(self.settings.workers)
        tasks = [asyncio.create_task(sync.keep(self.settings.resync_seconds, engine.add), name="resync")]
        if self.parts.beside is not None:
            tasks.append(asyncio.create_task(self.parts.beside(client, cache, effects), name="beside"))
        self.readiness.state = "leading"
        self.metrics.leader.set(1)
        served = self.settings.served
        _log.info("leading", namespaces=served or "all", workers=self.settings.workers)
        try:
            await kopf.operator(
                registry=registry, settings=kopf_settings(), clusterwide=not served, namespaces=served
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await engine.stop()
            _log.info("stopped")

    def _engine(self, client: Client, cache: Cache) -> tuple[Engine, ClusterEffects]:
        kinds = {resource.kind: resource for resource in self.parts.kinds}
        routes = Routes(cache)

        def changed(kind: str, raw: Mapping[str, Any]) -> None:
            for key in routes.of_own(kind, raw):
                engine.add(key)

        effects = ClusterEffects(client, cache, clock, kinds, changed)
        decisions = self.parts.controllers(Reader(client, cache), client)
        engine = Engine(Reconciler(decisions, effects, clock, self.metrics), self.metrics)
        self.metrics.watch_queue(lambda: len(engine.queue), lambda: engine.queue.deadlines)
        return engine, effects


async def _check_admission(settings: Settings, client: Client) -> None:
    missing = await missing_policies(client)
    if not missing:
        return
    text = f"admission policies are not installed or not enforced: {', '.join(sorted(missing))}"
    if not settings.insecure_no_admission:
        raise StartError(
            f"{text}; install them with the chart, or set {PREFIX}INSECURE_NO_ADMISSION=true to run without"
        )
    _log.warning(text)


def _lease(settings: Settings, client: Client) -> Lease | None:
    namespace = settings.lease_namespace or _own_namespace()
    wanted = settings.leader_election
    if wanted is None:
        wanted = bool(_own_namespace())
    if not wanted:
        return None
    if not namespace:
        raise StartError(f"leader election outside a pod needs {PREFIX}LEASE_NAMESPACE")
    identity = settings.identity or f"{socket.gethostname()}_{secrets.token_hex(4)}"
    return Lease(client, (namespace, settings.lease_name), identity)


def _own_namespace() -> str:
    """The pod's own namespace; empty outside of a pod."""
    info = kopf.login_with_service_account(settings=kopf.OperatorSettings())
    return (info.default_namespace or "") if info is not None else ""


def _fence(lease: Lease) -> Callable[[], None]:
    def check() -> None:
        if not lease.held:
            os._exit(1)

    return check


async def _until_signal(task: asyncio.Task[None]) -> bool:
    """Await a task, or end it at SIGTERM or SIGINT and return False; kopf takes the signals over later."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return False
    return True


def clock() -> datetime:
    """The operator's time: UTC."""
    return datetime.now(UTC)
