"""The decision about one ServingTarget and everything that wants to change its Deployment.

Owns the order of things: first what the target shows, then the receipt of a promotion that has ended, then
the next step of the one that holds the lock, and only with a free lock the choice of another. The lock is
`status.active` of the target, taken by a compare-and-swap before the first effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from compression_contract.keys import API_VERSION
from compression_operator.api.promotion import PromotionStatus
from compression_operator.api.servingtarget import Active, ServingTargetStatus, Watermark
from compression_operator.core.actions import Action, Decision, Notice, WriteStatus
from compression_operator.core.promotion import eligibility, outcome, preflight, rolling, survey
from compression_operator.core.promotion.observed import ObservedPromotion, ObservedTarget
from compression_operator.core.promotion.order import sort_out
from compression_operator.core.promotion.step import Situation, Step, enter, finish

_PHASES = {
    "Waiting": preflight.begin,
    "Preflight": preflight.preflight,
    "Shifting": rolling.shift,
    "Settling": rolling.settle,
    "RollingBack": rolling.roll_back,
}


def decide(target: ObservedTarget, now: datetime) -> Decision:
    """What is missing for this target, now."""
    status = survey.survey(target, now)
    active = target.active
    if active is not None and active.terminal and active.preview and not active.preview.deleting:
        # The lock is given back last: without it nobody would look for a preview that a crash left behind.
        return _decision(target, status, (), wake_at=now)
    if status.active is not None and (active is None or active.terminal):
        status = (
            outcome.record(target, status, active, now)
            if active
            else status.model_copy(update={"active": None})
        )
        return _decision(target, status, (), wake_at=now)
    if active is not None:
        return _advance(target, status, active, now)
    return _choose(target, status, now)


def _advance(
    target: ObservedTarget, status: ServingTargetStatus, active: ObservedPromotion, now: datetime
) -> Decision:
    step = _step(target, active, now)
    return _decision(target, status, ((active, step),), wake_at=step.wake_at)


def _step(target: ObservedTarget, active: ObservedPromotion, now: datetime) -> Step:
    early = active.state in {"Waiting", "Preflight"}
    if active.spec.abort and early:
        return finish(active, "Aborted", "Aborted", "aborted before anything was changed", now)
    if target.deployment is None or target.deployment.deleting:
        return finish(active, "Failed", "TargetGone", "the Deployment was deleted during the promotion", now)
    before = active.status.before
    if before is not None and before.deployment_uid != target.deployment.uid:
        return finish(active, "Failed", "TargetGone", "the Deployment was deleted and created again", now)
    refused = eligibility.refusal(target, active, now) if early else None
    if refused is not None:
        return finish(active, "Failed", refused.reason, refused.message, now)
    if active.version is None:
        return finish(
            active, "Failed", "VersionGone", "the ModelVersion was deleted during the promotion", now
        )
    situation = Situation(target, active, active.version, target.deployment, now)
    if active.spec.abort and active.state in {"Shifting", "Settling"}:
        return rolling.turn_back(situation, "Aborted", "aborted while it was being rolled out")
    return _PHASES[active.state](situation)


def _choose(target: ObservedTarget, status: ServingTargetStatus, now: datetime) -> Decision:
    given_up = [item for item in target.promotions if item.spec.abort and not item.terminal]
    queue = sort_out([item for item in target.promotions if item not in given_up], status)
    steps = [(item, finish(item, "Aborted", "Aborted", "aborted before it began", now)) for item in given_up]
    steps += [
        (item, finish(item, "Superseded", "Superseded", "a newer release was promoted or waits here", now))
        for item in queue.superseded
    ]
    chosen = queue.next
    veto = _veto(chosen) if chosen else ""
    if chosen and veto:
        steps.append((chosen, finish(chosen, "Aborted", "Rejected", f"{veto} rejected it", now)))
        return _decision(target, status, tuple(steps), wake_at=now)
    if chosen is None:
        return _decision(target, status, tuple(steps))
    obstacle = _obstacle(target, status, chosen)
    if obstacle:
        waiting = enter(chosen.status, "Waiting").model_copy(update={"waiting_for": (obstacle,)})
        return _decision(target, status, (*steps, (chosen, Step(waiting))))
    lock = Active(promotion=chosen.identity.name, uid=chosen.identity.uid, acquired=now)
    update: dict[str, Any] = {"active": lock}
    mark = status.watermark.order_key if status.watermark else ""
    if chosen.order_key > mark and eligibility.refusal(target, chosen, now) is None:
        update["watermark"] = Watermark(
            order_key=chosen.order_key, model_version=chosen.spec.model_version_ref.name
        )
    return _decision(target, status.model_copy(update=update), tuple(steps), wake_at=now)


def _obstacle(target: ObservedTarget, status: ServingTargetStatus, chosen: ObservedPromotion) -> str:
    """What a promotion waits for; empty if it may start."""
    if not survey.ready(status):
        return "Target"
    if target.spec.paused:
        return "Pause"
    asked = chosen.spec.intent != "Forward" or chosen.spec.requested_by.kind == "User"
    if status.hold is not None and not asked:
        return "Hold"
    unasked = not asked and not target.spec.auto_promote
    needed = max(target.spec.approval.required, chosen.spec.approvals_required, int(unasked))
    return "Approval" if approvals(chosen) < needed else ""


def approvals(promotion: ObservedPromotion) -> int:
    """How many people agreed to exactly this image; who asked for it does not count.

    Whether somebody may approve at all was checked when the entry was written (the verb approve).
    """
    asker = promotion.spec.requested_by.user
    return len(
        {
            item.user
            for item in promotion.spec.approvals
            if item.decision == "Approve"
            and item.image_digest == promotion.spec.image_digest
            and item.user != asker
        }
    )


def _veto(promotion: ObservedPromotion) -> str:
    """Who said no to this image; empty if nobody did."""
    said = (item for item in promotion.spec.approvals if item.decision == "Reject")
    return next((item.user for item in said if item.image_digest == promotion.spec.image_digest), "")


def _decision(
    target: ObservedTarget,
    status: ServingTargetStatus,
    steps: tuple[tuple[ObservedPromotion, Step], ...],
    wake_at: datetime | None = None,
) -> Decision:
    actions: list[Action] = []
    notices: list[Notice] = []
    for promotion, step in steps:
        if step.status != promotion.status:
            actions.append(_write(promotion, step.status))
        actions.extend(step.actions)
        notices.extend(step.notices)
    for promotion in target.promotions:
        if promotion.terminal:
            actions.extend(preflight.remove_preview(promotion.preview, target.identity.namespace))
    changed = _wire(status) if status != target.status else None
    return Decision(status=changed, actions=tuple(actions), notices=tuple(notices), wake_at=wake_at)


def _write(promotion: ObservedPromotion, status: PromotionStatus) -> WriteStatus:
    status = status.model_copy(update={"observed_generation": promotion.identity.generation})
    identity = promotion.identity
    return WriteStatus(
        API_VERSION, "Promotion", identity.namespace, identity.name, identity.resource_version, _wire(status)
    )


def _wire(status: ServingTargetStatus | PromotionStatus) -> Mapping[str, Any]:
    return status.to_dict()
