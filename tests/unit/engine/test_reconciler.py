# ruff: noqa: ARG002, ARG005 - stands in for protocols whose arguments it need not look at
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compression_operator.core.actions import Action, Create, Decision, Notice
from compression_operator.core.observed import Identity
from compression_operator.engine.controller import (
    GoneError,
    Key,
    Look,
    NameTakenError,
    Observation,
    RefusedError,
    StaleError,
)
from compression_operator.engine.reconciler import MIN_WAIT, NotSettledError, Reconciler

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = Key("Toy", "ns", "a")
MAKE = Create({"metadata": {"name": "child"}})


@dataclass
class World:
    """One object and what was done to it, in order; errors are raised once each, in order, by step."""

    decision: Callable[[World, Look], Decision] = lambda world, look: Decision()
    status: dict[str, Any] = field(default_factory=dict)
    exists: bool = True
    made: set[str] = field(default_factory=set)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    keeps_status: bool = False
    log: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    passes: list[str] = field(default_factory=list)

    def _maybe_fail(self, step: str) -> None:
        if self.errors.get(step):
            raise self.errors[step].pop(0)

    # Controller

    async def observe(self, key: Key, look: Look) -> Observation[Look] | None:
        self._maybe_fail("observe")
        self.looks.append(look)
        if not self.exists:
            return None
        identity = Identity("ns", "a", "uid", 1, "7", NOW)
        return Observation(identity, dict(self.status), look.fresh, look)

    def decide(self, subject: Look, now: datetime) -> Decision:
        return self.decision(self, subject)

    # Effects

    async def write_status(
        self, key: Key, identity: Identity, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> bool:
        self._maybe_fail("status")
        self.log.append(f"status {dict(after)}")
        if self.keeps_status:
            return False
        self.status = dict(after)
        return True

    async def perform(self, action: Action) -> None:
        self._maybe_fail("perform")
        assert isinstance(action, Create)
        self.log.append(f"create {action.body['metadata']['name']}")
        self.made.add(action.body["metadata"]["name"])

    async def announce(self, key: Key, identity: Identity, notice: Notice) -> None:
        self.log.append(f"notice {notice.reason}")

    # Listener

    def passed(self, key: Key, seconds: float, outcome: str) -> None:
        self.passes.append(outcome)

    def status_written(self, key: Key, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        self.log.append("heard")


async def run(world: World) -> float | None:
    return await Reconciler({"Toy": world}, world, lambda: NOW, world).reconcile(KEY)


def intent_then_child(world: World, look: Look) -> Decision:
    """Write the intent, make the child, say so."""
    if "child" in world.made:
        return Decision(status={"stage": 1}, wake_at=NOW + timedelta(seconds=30))
    return Decision(status={"stage": 1}, actions=(MAKE,), notices=(Notice("k", "Started", "it started"),))


async def test_status_first_then_actions_then_notices() -> None:
    world = World(decision=intent_then_child)
    assert await run(world) == 30
    assert world.log == ["status {'stage': 1}", "heard", "create child", "notice Started"]
    assert world.passes == ["settled"]


async def test_nothing_missing_writes_nothing() -> None:
    world = World(status={"stage": 1}, made={"child"}, decision=intent_then_child)
    assert await run(world) == 30
    assert world.log == []
    assert [look.fresh for look in world.looks] == [False]


async def test_without_a_status_to_write_an_action_needs_a_fresh_look() -> None:
    world = World(status={"stage": 1}, decision=intent_then_child)
    await run(world)
    assert [look.fresh for look in world.looks] == [False, True, False]
    assert world.log == ["create child", "notice Started"]


async def test_a_stale_write_looks_afresh_and_decides_again() -> None:
    world = World(decision=intent_then_child, errors={"status": [StaleError()]})
    assert await run(world) == 30
    assert [look.fresh for look in world.looks][:2] == [False, True]
    assert world.log.count("create child") == 1


async def test_a_taken_name_is_shown_to_the_decision() -> None:
    def rule(world: World, look: Look) -> Decision:
        if look.conflicts:
            return Decision(status={"failed": sorted(look.conflicts)})
        return Decision(status={"stage": 1}, actions=(MAKE,))

    world = World(decision=rule, errors={"perform": [NameTakenError("Job", "child", "why")]})
    assert await run(world) is None
    assert world.status == {"failed": ["Job/child"]}


async def test_a_decision_that_insists_on_a_taken_name_is_an_error() -> None:
    taken = [NameTakenError("Job", "child", "why") for _ in range(3)]
    world = World(decision=intent_then_child, errors={"perform": list(taken)})
    with pytest.raises(NameTakenError):
        await run(world)
    assert world.passes == ["error"]


async def test_a_refusal_is_announced_and_raised() -> None:
    world = World(decision=intent_then_child, errors={"perform": [RefusedError("CreateForbidden", "quota")]})
    with pytest.raises(RefusedError):
        await run(world)
    assert world.log == ["status {'stage': 1}", "heard", "notice CreateForbidden"]


async def test_an_error_of_the_infrastructure_is_raised_and_the_next_pass_repeats_the_rest() -> None:
    world = World(decision=intent_then_child, errors={"perform": [OSError("no answer")]})
    with pytest.raises(OSError, match="no answer"):
        await run(world)
    assert world.status == {"stage": 1}
    assert world.made == set()
    assert await run(world) == 30
    assert world.made == {"child"}


@pytest.mark.parametrize("step", ["observe", "status", "perform"])
async def test_an_object_that_goes_away_is_no_error(step: str) -> None:
    world = World(decision=intent_then_child, errors={step: [GoneError()]})
    assert await run(world) is None
    assert world.passes == ["gone"]


async def test_no_object_no_look_without_an_event() -> None:
    world = World(exists=False)
    assert await run(world) is None
    assert world.passes == ["gone"]


async def test_a_status_that_the_server_keeps_as_it_was_is_not_written_for_ever() -> None:
    world = World(keeps_status=True, decision=lambda world, look: Decision(status={"pruned": 1}))
    assert await run(world) is None
    assert world.log == ["status {'pruned': 1}"]


async def test_rounds_without_end_are_an_error() -> None:
    world = World(decision=lambda world, look: Decision(status={"n": world.status.get("n", 0) + 1}))
    with pytest.raises(NotSettledError):
        await run(world)


async def test_a_chain_of_decisions_is_followed_to_its_end() -> None:
    def rule(world: World, look: Look) -> Decision:
        done = world.status.get("n", 0)
        return Decision(status={"n": min(done + 1, 5)}, wake_at=NOW - timedelta(seconds=5))

    world = World(decision=rule)
    delay = await run(world)
    assert world.status == {"n": 5}
    assert delay == MIN_WAIT, "a deadline that has passed must not become a loop"


async def test_a_notice_is_said_also_when_nothing_else_is_missing() -> None:
    world = World(decision=lambda world, look: Decision(notices=(Notice("k", "Again", "again"),)))
    await run(world)
    assert world.log == ["notice Again"]
