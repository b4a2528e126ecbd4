"""Which Promotion may go next: order of intent, watermark, coalescing.

Owns the rule that a slow old job never overwrites a newer release. An order key is the creation time and uid
of whatever asked for the release, so it is the same on every recomputation. Must not look at Deployments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compression_operator.api.servingtarget import ServingTargetStatus
from compression_operator.core.promotion.observed import ObservedPromotion


@dataclass(frozen=True, slots=True)
class Queue:
    """The waiting Promotions of a target, sorted out."""

    next: ObservedPromotion | None
    superseded: tuple[ObservedPromotion, ...]
    """Older than one that was promoted, or than one that waits beside it."""


def sort_out(promotions: Sequence[ObservedPromotion], status: ServingTargetStatus) -> Queue:
    """Pick the newest released Promotion; those that came before it in order are superseded.

    A Promotion with intent Rollback or Retry is somebody's explicit wish: it is not held to the watermark,
    and comes before those that ask by themselves. One whose wave has not opened (`release: false`) waits.
    """
    waiting = [item for item in promotions if not item.terminal and item.spec.release]
    explicit = sorted((item for item in waiting if item.spec.intent != "Forward"), key=_key)
    forward = sorted((item for item in waiting if item.spec.intent == "Forward"), key=_key)
    watermark = status.watermark.order_key if status.watermark else ""
    late = [item for item in forward if item.order_key <= watermark and not _resumes(item, status)]
    timely = [item for item in forward if item not in late]
    chosen = explicit[0] if explicit else (timely[-1] if timely else None)
    return Queue(next=chosen, superseded=(*late, *timely[:-1]))


def _key(item: ObservedPromotion) -> tuple[str, str]:
    return (item.order_key, item.identity.uid)


def _resumes(item: ObservedPromotion, status: ServingTargetStatus) -> bool:
    """It raised the watermark itself and lost the lock in between: it may go on."""
    return status.watermark is not None and status.watermark.order_key == item.order_key
