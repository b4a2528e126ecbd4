"""A Promotion's journal: what was intended, on which object, and when it was seen done.

Owns the bookkeeping that makes every effect repeatable after a crash: an entry is written before its effect;
its times are the only timers there are. Must not decide anything.
"""

from __future__ import annotations

from datetime import datetime

from compression_operator.api.promotion import JournalEntry, JournalObject, PromotionStatus

CREATE_PREVIEW = "CreatePreview"
PROBE_PREVIEW = "ProbePreview"
APPLY_IMAGE = "ApplyImage"
SETTLE = "Settle"
ROLL_BACK = "RollBack"


def entry(status: PromotionStatus, effect: str) -> JournalEntry | None:
    """The latest entry of an effect."""
    return next((item for item in reversed(status.journal) if item.effect == effect), None)


def intend(status: PromotionStatus, effect: str, subject: JournalObject, now: datetime) -> PromotionStatus:
    """The status with an entry for an effect, unless its latest entry is still open on the same object."""
    last = entry(status, effect)
    if last is not None and last.done is None and last.object == subject:
        return status
    item = JournalEntry(seq=len(status.journal) + 1, effect=effect, object=subject, intended=now)
    return status.model_copy(update={"journal": (*status.journal, item)})


def complete(status: PromotionStatus, effect: str, now: datetime) -> PromotionStatus:
    """The status with the latest entry of an effect marked as seen done."""
    last = entry(status, effect)
    if last is None or last.done is not None:
        return status
    closed = tuple(
        item.model_copy(update={"done": now}) if item.seq == last.seq else item for item in status.journal
    )
    return status.model_copy(update={"journal": closed})


def since(status: PromotionStatus, effect: str) -> datetime | None:
    """When an effect was last intended."""
    last = entry(status, effect)
    return last.intended if last else None


def times(status: PromotionStatus, effect: str) -> int:
    """How often an effect was intended."""
    return sum(item.effect == effect for item in status.journal)
