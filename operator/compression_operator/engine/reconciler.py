"""The pass: look, decide, write the status, act, announce; again until nothing is missing.

Owns the order of effects and what follows from each kind of failure. Must not know any kind of object.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from compression_operator.core.actions import Decision, Notice
from compression_operator.engine.controller import (
    Controller,
    Effects,
    GoneError,
    Key,
    Listener,
    Look,
    NameTakenError,
    Observation,
    RefusedError,
    StaleError,
)

MAX_ROUNDS = 12
"""More rounds than any real chain of decisions has; beyond it two writers are fighting, and waiting helps."""

MIN_WAIT = 0.05
"""Seconds; a moment that has come already changed nothing, so at once would be for ever."""


class NotSettledError(Exception):
    """A pass kept finding something to do."""


class Reconciler:
    """Carries out the decisions about objects of several kinds."""

    def __init__(
        self,
        controllers: Mapping[str, Controller[Any]],
        effects: Effects,
        clock: Callable[[], datetime],
        listener: Listener,
    ) -> None:
        self._controllers = controllers
        self._effects = effects
        self._clock = clock
        self._listener = listener

    async def reconcile(self, key: Key) -> float | None:
        """Bring one object as far as it gets now.

        Returns:
            Seconds until the next look without an event; None if only an event can change anything.

        Raises:
            RefusedError: the API server refuses what is needed; already announced on the object.
            NotSettledError: rounds without end.
            Exception: whatever the infrastructure raised; the pass may be repeated.
        """
        begun = time.monotonic()
        outcome = "error"
        try:
            wake_at = await self._rounds(key)
            outcome = "settled"
        except GoneError:
            outcome = "gone"
            return None
        finally:
            self._listener.passed(key, time.monotonic() - begun, outcome)
        return None if wake_at is None else max((wake_at - self._clock()).total_seconds(), MIN_WAIT)

    async def _rounds(self, key: Key) -> datetime | None:
        controller = self._controllers[key.kind]
        look = Look()
        for _ in range(MAX_ROUNDS):
            seen = await controller.observe(key, look)
            if seen is None:
                raise GoneError
            decision = controller.decide(seen.subject, self._clock())
            changes = decision.status is not None and decision.status != seen.status
            if not changes and not decision.actions:
                await self._announce(key, seen, decision)
                return decision.wake_at
            if not changes and not seen.fresh:
                # Nothing proves that a remembered object is still the latest: only a compare-and-swap or a
                # fresh read does, and without a status to write there will be no compare-and-swap.
                look = replace(look, fresh=True)
                continue
            try:
                settled = await self._carry_out(key, seen, decision, changes=changes)
            except StaleError:
                look = replace(look, fresh=True)
            except NameTakenError as error:
                if error.taken in look.conflicts:
                    raise
                look = replace(look, conflicts=look.conflicts | {error.taken})
            else:
                if settled:
                    return decision.wake_at
                look = replace(look, fresh=False)
        raise NotSettledError(f"{MAX_ROUNDS} rounds and still something to do: is another writer at work?")

    async def _carry_out(
        self, key: Key, seen: Observation[Any], decision: Decision, *, changes: bool
    ) -> bool:
        """Status, actions, notices, in this order; True if nothing came of it."""
        written = False
        if changes and decision.status is not None:
            written = await self._effects.write_status(key, seen.identity, seen.status, decision.status)
            if written:
                self._listener.status_written(key, seen.status, decision.status)
        for action in decision.actions:
            try:
                await self._effects.perform(action)
            except RefusedError as error:
                await self._effects.announce(key, seen.identity, _refusal(action, error))
                raise
        await self._announce(key, seen, decision)
        return not written and not decision.actions

    async def _announce(self, key: Key, seen: Observation[Any], decision: Decision) -> None:
        for notice in decision.notices:
            await self._effects.announce(key, seen.identity, notice)


def _refusal(action: object, error: RefusedError) -> Notice:
    text = f"{type(action).__name__} was refused: {error}"
    return Notice(key=f"refused-{error.reason}-{text}", reason=error.reason, message=text, kind="Warning")
