"""One step of a Promotion: the situation it is in, its new status, and the effects that follow.

Owns the small vocabulary shared by the phases (preflight, shift, settle, roll back) and the ways to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from compression_contract.keys import ANNOTATION_MODEL_VERSION, ANNOTATION_PROMOTION_UID
from compression_operator.api.modelversion import ModelVersionSpec
from compression_operator.api.promotion import PromotionFailure, PromotionStatus
from compression_operator.core.actions import Action, ApplyImage, Notice
from compression_operator.core.observed import DeploymentView
from compression_operator.core.promotion.observed import ObservedPromotion, ObservedTarget


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a phase looks at; the release and the Deployment are known to exist."""

    target: ObservedTarget
    promotion: ObservedPromotion
    version: ModelVersionSpec
    live: DeploymentView
    now: datetime

    @property
    def status(self) -> PromotionStatus:
        """The promotion's status as it was read."""
        return self.promotion.status

    @property
    def image(self) -> str:
        """The release's image, by digest."""
        return self.version.image.reference

    @property
    def deadline(self) -> timedelta:
        """How long a rollout may take."""
        return self.target.spec.strategy.progress_deadline

    def soon(self, seconds: float = 5.0) -> datetime:
        """When to look without an event: signs of a pod that will not start have none of their own."""
        return self.now + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Step:
    """What a phase found missing."""

    status: PromotionStatus
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None


def enter(status: PromotionStatus, state: str, **changes: Any) -> PromotionStatus:
    """The status in another state, waiting for nothing."""
    update: Mapping[str, Any] = {"state": state, "waiting_for": (), **changes}
    return status.model_copy(update=update)


def finish(promotion: ObservedPromotion, state: str, reason: str, message: str, now: datetime) -> Step:
    """The promotion's end, with a sentence for the person who asked for it."""
    good = state in {"Succeeded", "Superseded"}
    failure = None if good else PromotionFailure(reason=reason, message=message[:512])
    status = enter(promotion.status, state, completion_time=now, failure=failure)
    notice = Notice(
        key=f"{promotion.identity.uid}-{state}",
        reason=state,
        message=f"{reason}: {message}"[:1000],
        kind="Normal" if good else "Warning",
    )
    return Step(status=status, notices=(notice,))


def apply_image(situation: Situation, image: str, version: str, *, force: bool) -> ApplyImage:
    """Write exactly one image and our two annotations, as a compare-and-swap on what was seen."""
    return ApplyImage(
        namespace=situation.target.identity.namespace,
        deployment=situation.live.name,
        uid=situation.live.uid,
        resource_version=situation.live.resource_version,
        container=situation.target.spec.container,
        image=image,
        annotations={
            ANNOTATION_MODEL_VERSION: version,
            ANNOTATION_PROMOTION_UID: situation.promotion.identity.uid,
        },
        force=force,
    )
