"""What a finished Promotion leaves in its target: last good, rejected digests, history, a free lock.

Owns the receipt of a promotion's end. It is drawn from the Promotion's own terminal status, so that a crash
between the two writes loses nothing.
"""

from __future__ import annotations

from datetime import datetime

from compression_operator.api.servingtarget import (
    Good,
    HistoryEntry,
    Hold,
    Live,
    Rejected,
    ServingTargetStatus,
)
from compression_operator.core.promotion.observed import ObservedPromotion, ObservedTarget

MAX_HISTORY = 10
MAX_REJECTED = 20
BAD_RELEASE = frozenset(
    {
        "CannotStart",
        "CrashLoop",
        "ImagePull",
        "NotAvailable",
        "ParityFailed",
        "ProgressDeadline",
        "RollBackFailed",
        "SmokeFailed",
        "WrongImage",
    }
)
"""Reasons that speak against the release itself: its digest is not tried again by itself."""


def record(
    target: ObservedTarget, status: ServingTargetStatus, ended: ObservedPromotion, now: datetime
) -> ServingTargetStatus:
    """The target's status with the promotion's end written down and the lock free."""
    name = ended.spec.model_version_ref.name
    entry = HistoryEntry(
        promotion=ended.identity.name,
        model_version=name,
        result=ended.state,
        at=ended.status.completion_time or now,
    )
    status = status.model_copy(update={"active": None, "history": (*status.history, entry)[-MAX_HISTORY:]})
    if ended.state == "Succeeded":
        return _succeeded(target, status, name, now)
    reason = ended.status.failure.reason if ended.status.failure else ended.state
    if reason in BAD_RELEASE:
        rejected = Rejected(model_version=name, digest=ended.spec.image_digest, reason=reason, at=now)
        status = status.model_copy(update={"rejected": (*status.rejected, rejected)[-MAX_REJECTED:]})
    if reason in {"Contested", "RollBackFailed"}:
        hold = Hold(reason="Contested", by="", since=now, promotion=ended.identity.name)
        status = status.model_copy(update={"hold": hold})
    return status


def _succeeded(
    target: ObservedTarget, status: ServingTargetStatus, version: str, now: datetime
) -> ServingTargetStatus:
    image = target.live_image or ""
    if status.last_good is not None and status.last_good.image == image:
        return status
    good = Good(image=image, model_version=version, since=now)
    live = Live(image=image, model_version=version, since=now, set_by="Operator")
    return status.model_copy(
        update={"previous_good": status.last_good, "last_good": good, "live": live, "hold": None}
    )
