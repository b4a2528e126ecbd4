"""What a promotion's decision looks at: one ServingTarget and all that wants to change its Deployment.

Owns the shape that the cluster layer fills. One pass handles a target and all its Promotions, so that a
Deployment has one writer and its lock is the target's own status.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_operator.api.modelversion import ModelVersionSpec
from compression_operator.api.promotion import PromotionSpec, PromotionStatus
from compression_operator.api.servingtarget import ServingTargetSpec, ServingTargetStatus
from compression_operator.core.observed import ChildJob, DeploymentView, Identity

TERMINAL_STATES = frozenset({"Succeeded", "RolledBack", "Failed", "Superseded", "Aborted"})


@dataclass(frozen=True, slots=True)
class ObservedPromotion:
    """One Promotion with what it made and the release it names."""

    identity: Identity
    spec: PromotionSpec
    status: PromotionStatus
    version: ModelVersionSpec | None = None
    """None if no such ModelVersion exists."""
    preview: DeploymentView | None = None
    probes: tuple[ChildJob, ...] = ()

    @property
    def state(self) -> str:
        """Where it stands; a new one is Waiting."""
        return self.status.state or "Waiting"

    @property
    def order_key(self) -> str:
        """Its place in the order of intent; one that names none came when it was created."""
        return self.spec.order_key or f"{self.identity.created:%Y-%m-%dT%H:%M:%SZ}/{self.identity.uid}"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in TERMINAL_STATES


@dataclass(frozen=True, slots=True)
class ProbeImage:
    """How a probe runs: the platform's tools image; pull secrets come from the Deployment's own template."""

    image: str


@dataclass(frozen=True, slots=True)
class ObservedTarget:
    """A ServingTarget and all that belongs to it."""

    identity: Identity
    spec: ServingTargetSpec
    status: ServingTargetStatus
    deployment: DeploymentView | None
    permitted: bool
    """The operator may patch that Deployment: the serving namespace gave it the right."""
    promotions: tuple[ObservedPromotion, ...] = ()
    probe: ProbeImage | None = None
    """None while the platform has no valid CompressionRuntime."""

    @property
    def active(self) -> ObservedPromotion | None:
        """The Promotion that holds the lock, by uid; None if the lock is free or its holder is gone."""
        lock = self.status.active
        if lock is None:
            return None
        return next((item for item in self.promotions if item.identity.uid == lock.uid), None)

    @property
    def live_image(self) -> str | None:
        """The image that the Deployment's template names for the serving container."""
        return self.deployment.image(self.spec.container) if self.deployment else None
