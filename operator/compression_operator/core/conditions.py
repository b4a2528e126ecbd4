"""Conditions of an object's status: set, kept stable, and read.

Owns the rules of `metav1.Condition`: one entry per type, `lastTransitionTime` moves only with `status`. Must
not know which conditions a kind has.
Source: Kubernetes API conventions, "Typical status properties"; apimachinery `meta.SetStatusCondition`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from compression_operator.api.meta import Condition

ConditionStatus = Literal["True", "False", "Unknown"]

MAX_MESSAGE = 1024
"""Longer sentences are cut: a status is read by people, in a terminal."""


def clip(message: str, limit: int = MAX_MESSAGE) -> str:
    """One line of at most `limit` characters, control characters made visible as blanks.

    Messages hold text from pods and from the kubelet; a line break or an escape sequence in it must not reach
    somebody's terminal.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def set_condition(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """The conditions with `new` among them; its transition time moves only if `status` differs.

    One that says the same already is left alone altogether, so that a repeated pass writes nothing.
    """
    new = new.model_copy(update={"message": clip(new.message)})
    before = next((item for item in conditions if item.type == new.type), None)
    if before is None:
        return (*conditions, new)
    if (before.status, before.reason, before.message) == (new.status, new.reason, new.message):
        return conditions
    if before.status == new.status:
        new = new.model_copy(update={"last_transition_time": before.last_transition_time})
    return tuple(new if item is before else item for item in conditions)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one object as seen at `now`, about its `generation`."""

    items: tuple[Condition, ...]
    generation: int
    now: datetime

    def get(self, kind: str) -> Condition | None:
        """The condition of a type, or None."""
        return next((item for item in self.items if item.type == kind), None)

    def is_true(self, kind: str) -> bool:
        """Whether the condition is there and True."""
        condition = self.get(kind)
        return condition is not None and condition.status == "True"

    def set(self, kind: str, status: ConditionStatus, reason: str, message: str) -> Conditions:
        """The same conditions with this one said, as of now and about this generation."""
        new = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=clip(message),
            last_transition_time=self.now,
            observed_generation=self.generation,
        )
        return replace(self, items=set_condition(self.items, new))
