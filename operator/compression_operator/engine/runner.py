"""The engine at work: a queue, its workers, and passes over what is in it.

Owns the life of workers and what is said about each pass. Must not know any kind of object.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import structlog

from compression_operator.engine.controller import Key, RefusedError
from compression_operator.engine.queue import KeyedQueue
from compression_operator.engine.reconciler import Reconciler

_log = structlog.get_logger(__name__)


class Failures(Protocol):
    """Who counts failures and waiting."""

    def failed(self, key: Key, error: str) -> None:
        """A pass failed with an error of that class."""
        ...

    def waited(self, seconds: float) -> None:
        """An object stood in the queue for so long."""
        ...


class Engine:
    """Looks at every key that is added, with a number of workers."""

    def __init__(self, reconciler: Reconciler, failures: Failures) -> None:
        self._reconciler = reconciler
        self._failures = failures
        self.queue: KeyedQueue[Key] = KeyedQueue(self._look, self._failed)
        self.queue.on_start(failures.waited)
        self._workers: list[asyncio.Task[None]] = []

    def add(self, key: Key) -> None:
        """Ask for a look at an object."""
        self.queue.add(key)

    def start(self, workers: int) -> None:
        """Begin to work; to be called before kopf runs, which waits at its end for tasks that began later."""
        self._workers = [
            asyncio.create_task(self.queue.work(), name=f"worker {number}") for number in range(workers)
        ]

    async def stop(self) -> None:
        """End the workers wherever they are: any pass may be cut off after any effect."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers = []

    async def _look(self, key: Key) -> float | None:
        with structlog.contextvars.bound_contextvars(**_words(key)):
            return await self._reconciler.reconcile(key)

    def _failed(self, key: Key, error: Exception, retry: float) -> None:
        self._failures.failed(key, type(error).__name__)
        words: dict[str, Any] = {**_words(key), "error": str(error), "retry_in": round(retry, 2)}
        if isinstance(error, RefusedError):
            _log.warning("refused", reason=error.reason, **words)
        else:
            _log.warning("a pass failed", error_type=type(error).__name__, exc_info=error, **words)


def _words(key: Key) -> dict[str, Any]:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}
