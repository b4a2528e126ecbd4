"""Who owns a Deployment's image field, and whether it may be taken over.

Owns the reading of a field manager's habits. Server-side apply (Kubernetes docs, "Server-Side Apply",
conflicts): whoever created the Deployment owns the field, so a first apply without force always conflicts. A
manager that reconciles would put its own value back, which would be a fight that nobody wins.
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_operator.api.servingtarget import ServingTargetSpec
from compression_operator.core.observed import DeploymentView

PROMOTER = "compression.modelops.dev-promoter"
"""Our own field manager."""

ONE_SHOT_MANAGERS = frozenset(
    {
        "kubectl",
        "kubectl-client-side-apply",
        "kubectl-create",
        "kubectl-edit",
        "kubectl-patch",
        "kubectl-set",
        "helm",
        "before-first-apply",
    }
)
"""Managers that write once, even if they apply server-side."""

RECONCILING_MANAGERS = frozenset(
    {
        "argocd-application-controller",
        "argocd-controller",
        "fluxcd",
        "helm-controller",
        "kustomize-controller",
    }
)
"""Managers that put their own value back, whatever operation they are recorded with."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether the image may be written, and whether that takes it from somebody."""

    allowed: bool
    force: bool
    manager: str = ""


def claim(spec: ServingTargetSpec, deployment: DeploymentView) -> Claim:
    """What the target's conflict policy says about the present owner of the image.

    An unknown manager that applies server-side counts as one that reconciles, as those mostly do.
    """
    owner = deployment.image_manager
    if owner is None or owner[0] == PROMOTER:
        return Claim(allowed=True, force=False)
    manager, operation = owner
    reconciles = manager in RECONCILING_MANAGERS or (
        operation == "Apply" and manager not in ONE_SHOT_MANAGERS
    )
    taken = spec.conflict_policy == "Force" or (spec.conflict_policy == "TakeOver" and not reconciles)
    return Claim(allowed=taken, force=taken, manager=manager)
