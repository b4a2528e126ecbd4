"""Leadership on a real API server: one holder, hand-over, expiry, loss."""

from __future__ import annotations

import asyncio

import pytest

from api.engine.conftest import Place
from compression_operator.cluster.client import Client
from compression_operator.cluster.lease import Lease, Terms

QUICK = Terms(duration=2.0, deadline=1.2, retry=0.2)


def lease(client: Client, place: Place, identity: str, terms: Terms = QUICK) -> Lease:
    return Lease(client, (place.namespace, "leader"), identity, terms)


def holder(place: Place) -> str:
    return place.get("lease", "leader")["spec"]["holderIdentity"]


async def test_the_first_to_come_holds_it_and_the_second_waits(client: Client, place: Place) -> None:
    first, second = lease(client, place, "a"), lease(client, place, "b")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    waiting = asyncio.create_task(second.acquire())
    done, _ = await asyncio.wait({waiting, holding}, timeout=2 * QUICK.duration)
    assert not done
    assert first.held
    assert not second.held
    assert holder(place) == "a"
    holding.cancel()
    await first.release()
    await asyncio.wait_for(waiting, 30)
    assert second.held
    assert not first.held
    assert holder(place) == "b"


async def test_of_many_at_once_exactly_one_wins(client: Client, place: Place) -> None:
    many = [lease(client, place, name) for name in "abcdef"]
    tasks = [asyncio.create_task(each.acquire()) for each in many]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(done) == 1
    assert sum(each.held for each in many) == 1


async def test_a_holder_that_fell_silent_is_replaced_and_knows_it(client: Client, place: Place) -> None:
    silent, next_one = lease(client, place, "a"), lease(client, place, "b")
    await silent.acquire()
    await asyncio.wait_for(next_one.acquire(), 30)
    assert not silent.held, "its own deadline passes before others may take over"
    assert next_one.held
    assert place.get("lease", "leader")["spec"]["leaseTransitions"] == 1


async def test_a_holder_that_was_replaced_stops_holding(client: Client, place: Place) -> None:
    held = lease(client, place, "a")
    await held.acquire()
    holding = asyncio.create_task(held.hold())
    place.kubectl(
        "patch",
        "lease",
        "leader",
        "--type=merge",
        "-p",
        '{"spec":{"holderIdentity":"thief","renewTime":"2099-01-01T00:00:00.000000Z"}}',
    )
    await asyncio.wait_for(holding, 30)
    assert not held.held
    assert holder(place) == "thief"


async def test_the_same_identity_takes_over_at_once_after_a_restart(client: Client, place: Place) -> None:
    await lease(client, place, "pod-0").acquire()
    again = lease(client, place, "pod-0", Terms(duration=3600.0))
    await asyncio.wait_for(again.acquire(), 30)
    assert again.held


async def test_a_fence_that_raises_stops_every_write_and_no_read(client: Client, place: Place) -> None:
    class LostError(Exception):
        pass

    def fence() -> None:
        raise LostError

    client.fence = fence
    with pytest.raises(LostError):
        await lease(client, place, "a").acquire()
    client.fence = lambda: None
    await lease(client, place, "a").acquire()
