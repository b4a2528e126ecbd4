"""What a ServingTarget says about its Deployment: found, permitted, held, live, last good.

Owns the target's own status apart from the lock. Must not start or advance a promotion.
"""

from __future__ import annotations

from datetime import datetime

from compression_contract.keys import ANNOTATION_MODEL_VERSION, LABEL_PROMOTABLE
from compression_operator.api.servingtarget import Good, Hold, Live, ServingTargetStatus
from compression_operator.core.conditions import Conditions, ConditionStatus
from compression_operator.core.promotion import rollout
from compression_operator.core.promotion.observed import ObservedTarget

Said = tuple[ConditionStatus, str, str]
"""A condition's status, reason and message."""


def survey(target: ObservedTarget, now: datetime) -> ServingTargetStatus:
    """The target's status as its Deployment shows it now."""
    status = target.status.model_copy(update={"observed_generation": target.identity.generation})
    status = _live(target, status, now)
    found, permitted, held = _found(target), _permitted(target), _held(status)
    ready: Said = ("True", "Ready", "releases may be promoted to this target")
    for need in (found, permitted):
        if need[0] != "True":
            ready = need
            break
    conditions = Conditions(status.conditions, target.identity.generation, now)
    conditions = conditions.set("TargetFound", *found).set("PermissionGranted", *permitted)
    conditions = conditions.set("Held", *held).set("Ready", *ready)
    return status.model_copy(update={"conditions": conditions.items})


def ready(status: ServingTargetStatus) -> bool:
    """Whether a promotion may start."""
    return any(item.type == "Ready" and item.status == "True" for item in status.conditions)


def _permitted(target: ObservedTarget) -> Said:
    if target.permitted:
        return "True", "Granted", "the operator may update the Deployment"
    return (
        "False",
        "RoleBindingMissing",
        (
            f"the operator may not patch Deployments in {target.identity.namespace}: bind the ClusterRole "
            "promotion-target there (chart value tenants)"
        ),
    )


def _held(status: ServingTargetStatus) -> Said:
    if status.hold is None:
        return "False", "NotHeld", "no hold"
    return "True", status.hold.reason, f"held since {status.hold.since:%Y-%m-%dT%H:%M:%SZ}"


def _found(target: ObservedTarget) -> Said:
    name, container = target.spec.deployment_ref.name, target.spec.container
    live = target.deployment
    if live is None or live.deleting:
        return "False", "NotFound", f"there is no Deployment {name} in {target.identity.namespace}"
    if live.labels.get(LABEL_PROMOTABLE) != "true":
        return (
            "False",
            "NotOptedIn",
            f"Deployment {name} lacks the label {LABEL_PROMOTABLE}=true, its owner's consent to promotion",
        )
    if live.image(container) is None:
        return "False", "NotFound", f"Deployment {name} has no container {container}"
    return "True", "Found", f"Deployment {name}, container {container}"


def _live(target: ObservedTarget, status: ServingTargetStatus, now: datetime) -> ServingTargetStatus:
    """Record what runs; the first healthy image is what a rollback goes to before anything was promoted."""
    image, live = target.live_image, target.deployment
    if image is None or live is None:
        return status
    changed = status.live is None or status.live.image != image
    by_operator = target.active is not None
    if changed:
        recorded = Live(
            image=image,
            model_version=live.annotations.get(ANNOTATION_MODEL_VERSION) if by_operator else None,
            since=now,
            set_by="Operator" if by_operator else "External",
        )
        if not by_operator and status.live is not None:
            status = status.model_copy(update={"hold": Hold(reason="ExternalChange", by="", since=now)})
        status = status.model_copy(update={"live": recorded})
    if status.last_good is None and target.active is None and live.replicas and rollout.done(live):
        good = Good(image=image, model_version=live.annotations.get(ANNOTATION_MODEL_VERSION), since=now)
        status = status.model_copy(update={"last_good": good})
    return status
