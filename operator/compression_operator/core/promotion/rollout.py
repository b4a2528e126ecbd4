"""How a rollout stands, read from a Deployment and its pods.

Owns the rules by which a rollout is done, still running, or has shown that it will not get there. Source of
the done rule: `kubectl rollout status` (kubectl pkg/polymorphichelpers/rollout_status.go).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from compression_operator.core.observed import DeploymentView, PodView

STUCK_REASONS = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
    }
)
PATIENCE = timedelta(seconds=20)
"""How long a pod may say that it cannot start before we believe it: a registry may answer late once."""
CRASHES = 2
"""Restarts that make a crash loop: one may be chance."""


def done(deployment: DeploymentView) -> bool:
    """Every replica runs the present template, is available, and none of an older one is left."""
    return (
        deployment.observed_generation >= deployment.generation
        and deployment.updated == deployment.replicas
        and deployment.total == deployment.replicas
        and deployment.available == deployment.replicas
    )


def pods_of_image(deployment: DeploymentView, digest: str) -> tuple[PodView, ...]:
    """The Deployment's living pods that are to run an image of this digest."""
    return tuple(
        pod for pod in deployment.pods if not pod.deleting and any(digest in image for image in pod.images)
    )


def trouble(pods: tuple[PodView, ...], now: datetime) -> tuple[str, str] | None:
    """(reason, message) once a pod has shown that it will not become ready; None as long as there is hope."""
    for pod in pods:
        if pod.deleting:
            continue
        old = pod.created is not None and now - pod.created >= PATIENCE
        if pod.waiting_reason in STUCK_REASONS and old:
            reason = (
                "ImagePull"
                if "Pull" in pod.waiting_reason or "Image" in pod.waiting_reason
                else "CannotStart"
            )
            return reason, f"pod {pod.name}: {pod.waiting_reason}: {pod.waiting_message}"[:512]
        if pod.restarts >= CRASHES or (pod.waiting_reason == "CrashLoopBackOff" and pod.restarts >= 1):
            return (
                "CrashLoop",
                f"pod {pod.name} crashed {pod.restarts} times; see kubectl logs --previous {pod.name}",
            )
    return None
