"""Whose log is read next, and what may go wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from compression_operator.cluster.act import ClusterEffects
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.client import Client, Tail
from compression_operator.cluster.progress import ProgressReader
from unit.cluster_layer.builders import ended, job, pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Logs:
    """The client's part that reads logs: it remembers whose, and knows of no progress."""

    def __init__(self) -> None:
        self.read: list[str] = []

    async def tail(self, _namespace: str, name: str, tail: Tail) -> bytes:
        assert (tail.container, tail.lines) == ("stage", 20)
        self.read.append(name)
        return b"not json\n"


def world(*pods: dict[str, Any]) -> tuple[Cache, Logs]:
    cache = Cache()
    for number, raw in enumerate(pods):
        cache.put_job(job(f"j{number}"))
        cache.put_pod(raw)
    return cache, Logs()


def reader(cache: Cache, logs: Logs, clock: list[datetime]) -> ProgressReader:
    return ProgressReader(cast("Client", logs), cache, cast("ClusterEffects", None), lambda: clock[0])


async def test_running_trainings_are_read_one_after_the_other_and_none_too_often() -> None:
    cache, logs = world(*(pod(f"p{n}", of=f"j{n}", phase="Running") for n in range(3)))
    clock = [NOW]
    following = reader(cache, logs, clock)
    for _ in range(5):
        assert not await following.read_one()
        clock[0] += timedelta(seconds=1)
    assert logs.read == ["p0", "p1", "p2"]
    clock[0] += timedelta(seconds=30)
    await following.read_one()
    assert logs.read[-1] == "p0"


async def test_what_does_not_train_now_is_not_read() -> None:
    other_rank = pod("p2", of="j2", phase="Running")
    other_rank["metadata"]["annotations"] = {"batch.kubernetes.io/job-completion-index": "1"}
    cache, logs = world(pod("p0", of="j0"), pod("p1", of="j1", **ended()), other_rank)
    cache.put_job(job("over", conditions=("Complete",)))
    cache.put_pod(pod("p3", of="over", phase="Running"))
    assert not await reader(cache, logs, [NOW]).read_one()
    assert logs.read == []
