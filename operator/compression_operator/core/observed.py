"""What a decision may look at: children of an object, as small frozen projections.

Owns the shapes that the cluster layer fills and the core reads. A projection holds the few fields that a
decision needs and never a whole object. Must not know how it is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object this is; generation and resourceVersion are those that were read."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    created: datetime
    deleting: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terminated:
    """How a container ended; `message` is its termination message, data from outside."""

    exit_code: int
    reason: str
    message: str
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class PodView:
    """The pod of a child Job, or of a Deployment."""

    name: str
    uid: str
    owner_uid: str
    phase: str
    node: str = ""
    address: str = ""
    ready: bool = False
    restarts: int = 0
    waiting_reason: str = ""
    """ImagePullBackOff, CreateContainerConfigError, CrashLoopBackOff, or empty."""
    waiting_message: str = ""
    images: tuple[str, ...] = ()
    """What the pod's containers are to run."""
    image_id: str = ""
    """imageIDs of its containers, as the kubelet reports them, separated by blanks."""
    scheduled: bool = True
    unschedulable_message: str = ""
    disrupted: bool = False
    """The pod carries the condition DisruptionTarget: evicted, preempted or drained."""
    terminated: Terminated | None = None
    created: datetime | None = None
    started: datetime | None = None
    """When its first container began to run, if only to fetch what the others need."""
    deleting: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    rank: int = 0
    """Its number among the pods of one Job; the result is that of number 0."""


@dataclass(frozen=True, slots=True)
class ChildJob:
    """A batch/v1 Job that the operator made, with its pods."""

    name: str
    uid: str
    owner_uid: str
    role: str
    input_hash: str
    created: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False
    failed: bool = False
    failed_reason: str = ""
    failed_message: str = ""
    deleting: bool = False
    lost: bool = False
    """It was seen once and has been deleted before its result was read."""
    pods: tuple[PodView, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nothing of it runs any more."""
        own = [pod for pod in self.pods if pod.owner_uid == self.uid]
        return self.complete or self.failed or bool(own and all(pod.terminated is not None for pod in own))


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A Deployment; `template` is the raw pod template, needed whole to clone it."""

    name: str
    uid: str
    resource_version: str
    generation: int
    observed_generation: int
    replicas: int
    updated: int
    available: int
    ready: int
    total: int
    progress_deadline_exceeded: datetime | None
    """When its controller gave a rollout up, perhaps one before the present; None if it goes on."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    selector: Mapping[str, str]
    template: Mapping[str, Any]
    image_manager: tuple[str, str] | None = None
    """(manager, operation) that owns the serving container's image; None if nobody is recorded."""
    deleting: bool = False
    pods: tuple[PodView, ...] = ()

    def image(self, container: str) -> str | None:
        """The image of a container of the template; None if there is no container of that name."""
        for entry in self.template.get("spec", {}).get("containers", ()):
            if entry.get("name") == container:
                return str(entry.get("image", ""))
        return None
