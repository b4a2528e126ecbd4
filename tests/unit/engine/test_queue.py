from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_operator.engine.queue import Backoff, KeyedQueue

Handle = Callable[[str], Awaitable[float | None]]


class Bench:
    """A queue with workers, and what became of its keys."""

    def __init__(self, handle: Handle, workers: int, backoff: Backoff) -> None:
        self.failures: list[tuple[str, str, float]] = []
        self.queue: KeyedQueue[str] = KeyedQueue(
            handle, lambda key, error, retry: self.failures.append((key, str(error), retry)), backoff
        )
        self.tasks = [asyncio.create_task(self.queue.work()) for _ in range(workers)]


@pytest.fixture
async def bench() -> AsyncIterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(handle: Handle, workers: int = 4, backoff: Backoff | None = None) -> Bench:
        made.append(Bench(handle, workers, backoff or Backoff(base=0.001)))
        return made[-1]

    yield make
    for each in made:
        for task in each.tasks:
            task.cancel()
        await asyncio.gather(*each.tasks, return_exceptions=True)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110 - what is waited for is any condition
            await asyncio.sleep(0)


async def test_a_key_added_many_times_is_looked_at_once(bench) -> None:
    looked: Counter[str] = Counter()

    async def handle(key: str) -> None:
        looked[key] += 1

    queue = bench(handle).queue
    for _ in range(100):
        queue.add("a")
    queue.add("b")
    assert len(queue) == 2
    await until(lambda: looked.total() == 2)
    assert looked == {"a": 1, "b": 1}
    assert len(queue) == 0


async def test_a_change_during_a_look_brings_another_look_and_never_two_at_once(bench) -> None:
    gate, looks, at_once = asyncio.Event(), 0, 0

    async def handle(key: str) -> None:
        nonlocal looks, at_once
        at_once += 1
        assert at_once == 1
        looks += 1
        await gate.wait()
        at_once -= 1

    queue = bench(handle).queue
    queue.add("a")
    await until(lambda: looks == 1)
    for _ in range(10):
        queue.add("a")
    await asyncio.sleep(0)
    assert looks == 1
    gate.set()
    await until(lambda: looks == 2)
    await asyncio.sleep(0.01)
    assert looks == 2


async def test_a_slow_key_does_not_hold_up_others(bench) -> None:
    never, seen = asyncio.Event(), set()

    async def handle(key: str) -> None:
        if key == "slow":
            await never.wait()
        seen.add(key)

    queue = bench(handle, workers=2).queue
    queue.add("slow")
    for number in range(20):
        queue.add(f"k{number}")
    await until(lambda: len(seen) == 20)


async def test_a_failed_look_comes_back_and_success_forgets_it(bench) -> None:
    tries = 0

    async def handle(key: str) -> None:
        nonlocal tries
        tries += 1
        if tries in (1, 2, 4):
            raise RuntimeError(f"try {tries}")

    made = bench(handle, backoff=Backoff(base=0.001, limit=10))
    made.queue.add("a")
    await until(lambda: tries == 3)
    made.queue.add("a")
    await until(lambda: tries == 5)
    assert [text for _, text, _ in made.failures] == ["try 1", "try 2", "try 4"]
    first, second, third = (retry for _, _, retry in made.failures)
    assert 0.0005 <= first <= 0.001 <= second <= 0.002
    assert third <= 0.001, "a success in between starts the count anew"
    assert made.queue.deadlines == 0


async def test_an_event_does_not_wait_for_the_backoff(bench) -> None:
    tries = 0

    async def handle(key: str) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError

    queue = bench(handle, backoff=Backoff(base=3600, limit=3600)).queue
    queue.add("a")
    await until(lambda: queue.deadlines == 1)
    queue.add("a")
    await until(lambda: tries == 2)
    await until(lambda: queue.deadlines == 0)


async def test_a_look_sets_the_only_deadline(bench) -> None:
    answers: list[float | None] = [3600.0, 0.001, None]
    looks = 0

    async def handle(key: str) -> float | None:
        nonlocal looks
        looks += 1
        return answers[looks - 1]

    queue = bench(handle).queue
    queue.add("a")
    await until(lambda: queue.deadlines == 1)
    queue.add("a")
    await until(lambda: looks == 3)
    await until(lambda: len(queue) == 0)
    assert queue.deadlines == 0


async def test_a_cancelled_worker_leaves_the_key_to_nobody_else(bench) -> None:
    started = asyncio.Event()

    async def handle(key: str) -> None:
        started.set()
        await asyncio.Event().wait()

    made = bench(handle, workers=1)
    made.queue.add("a")
    await started.wait()
    made.tasks[0].cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)
    assert made.failures == []


async def test_waiting_is_measured(bench) -> None:
    waited: list[float] = []

    async def handle(key: str) -> None:
        pass

    queue = bench(handle).queue
    queue.on_start(waited.append)
    queue.add("a")
    await until(lambda: len(waited) == 1)
    assert waited[0] >= 0


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_backoff_stays_between_half_and_whole_of_its_limit_at_last(failures: int, spread: float) -> None:
    delay = Backoff(base=0.1, limit=60).delay(failures, spread)
    full = min(60.0, 0.1 * 2.0 ** min(failures - 1, 32))
    assert full / 2 <= delay <= full
