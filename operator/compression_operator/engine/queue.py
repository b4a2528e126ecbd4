"""The queue of keys: coalescing, one worker per key, deadlines, backoff.

Owns who is looked at and when. A key that is added while it waits is one entry; added while it is worked on,
it runs again afterwards; so work on a key never overlaps and never misses a change. Must not know what a key
stands for.
Source of the semantics: client-go `util/workqueue`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after the n-th failure in a row: exponential, the later half of it at random."""

    base: float = 0.1
    limit: float = 60.0

    def delay(self, failures: int, spread: float) -> float:
        """Seconds after so many failures (1 or more); `spread` in 0..1 chooses the place in the jitter."""
        full = min(self.limit, self.base * 2.0 ** min(failures - 1, 32))
        return full * (0.5 + 0.5 * spread)


class KeyedQueue(Generic[K]):
    """Keys that want a look, and the workers that give it.

    `handle` looks at a key and returns the seconds until the next look without an event, or None. If it
    raises, the key comes back after a backoff; `failed` hears of it.
    """

    def __init__(
        self,
        handle: Callable[[K], Awaitable[float | None]],
        failed: Callable[[K, Exception, float], None],
        backoff: Backoff | None = None,
    ) -> None:
        self._handle = handle
        self._failed = failed
        self._backoff = backoff or Backoff()
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._since: dict[K, float] = {}
        self._busy: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: Counter[K] = Counter()
        self._waited: Callable[[float], None] = lambda _seconds: None

    def __len__(self) -> int:
        """How many keys wait for a worker."""
        return len(self._since)

    @property
    def deadlines(self) -> int:
        """How many keys wait for a moment."""
        return len(self._timers)

    def on_start(self, waited: Callable[[float], None]) -> None:
        """Tell `waited` how many seconds each key stood in the queue."""
        self._waited = waited

    def add(self, key: K) -> None:
        """Ask for a look at a key, now or right after the look that is going on."""
        if key in self._since:
            return
        self._since[key] = time.monotonic()
        if key not in self._busy:
            self._ready.put_nowait(key)

    def wake(self, key: K, delay: float | None) -> None:
        """Set the key's only deadline, in seconds from now; None clears it."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        if delay is not None:
            # The event loop keeps its timers in a heap: one deadline is one entry, and none costs anything.
            self._timers[key] = asyncio.get_running_loop().call_later(max(delay, 0.0), self._due, key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def work(self) -> None:
        """Be one worker, until cancelled."""
        while True:
            key = await self._ready.get()
            self._waited(time.monotonic() - self._since.pop(key))
            self._busy.add(key)
            try:
                self.wake(key, await self._attempt(key))
            finally:
                self._busy.discard(key)
                if key in self._since:
                    self._ready.put_nowait(key)

    async def _attempt(self, key: K) -> float | None:
        try:
            delay = await self._handle(key)
        except Exception as error:  # noqa: BLE001 - a worker outlives whatever one object does to it
            self._failures[key] += 1
            # Jitter spreads the retries of many objects; nothing is guessed or guarded by it.
            retry = self._backoff.delay(self._failures[key], random.random())  # noqa: S311
            self._failed(key, error, retry)
            return retry
        self._failures.pop(key, None)
        return delay
