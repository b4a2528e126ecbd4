"""The batch/v1 Job of one stage: a restricted pod that reads its input and ends with a result.

Owns the pod's shape: security, mounts, limits. Not tied to a kind: a CompressionJob's stages and a
Promotion's probes are built here. Must not decide when a Job is made nor what its input says.
Source of the restrictions: Kubernetes, "Pod Security Standards", profile restricted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compression_contract.base import canonical_json
from compression_contract.inputs import StageInput
from compression_contract.keys import (
    ANNOTATION_INPUT,
    ANNOTATION_INPUT_HASH,
    GROUP,
    INPUT_FILE,
    INPUT_FOLDER,
    LABEL_ROLE,
    MAX_INPUT_BYTES,
    REGISTRY_SECRET_FOLDER,
    RUN_AS_USER,
    SCRATCH_FOLDER,
    STORAGE_SECRET_FOLDER,
    TERMINATION_LOG,
)

DEFAULT_SERVICE_ACCOUNT: Final = "compression-runner"
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
SCRATCH_LIMIT: Final = "10Gi"
SECRET_MODE: Final = 0o440
GRACE_SECONDS: Final = 60
"""Between SIGTERM and SIGKILL: time to write a checkpoint."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that the Job works for; deleting it deletes the Job."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class PodSettings:
    """What differs between the pods of two stages beside image and input."""

    resources: Mapping[str, Any]
    """core/v1 ResourceRequirements; limits are mandatory."""
    service_account: str = DEFAULT_SERVICE_ACCOUNT
    pull_secrets: tuple[str, ...] = ()
    storage_secret: str = ""
    """Name of the Secret with object-store credentials; empty: not mounted."""
    registry_secret: str = ""
    shared_memory: str = ""
    """Size of /dev/shm, such as 1Gi; empty: the container runtime's own."""
    environment: Mapping[str, str] = field(default_factory=dict)
    placement: Mapping[str, Any] = field(default_factory=dict)
    """nodeSelector, tolerations, affinity, priorityClassName, runtimeClassName as core/v1 has them."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageJob:
    """Everything that makes one Job."""

    namespace: str
    name: str
    owner: Owner
    role: str
    image: str
    stage_input: StageInput
    pod: PodSettings
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of ours, beside the role."""
    queue: str = ""


def stage_job(job: StageJob) -> dict[str, Any]:
    """The Job's manifest.

    Raises:
        ValueError: the input is too large for an annotation, or the pod has no limits.
    """
    text = canonical_json(job.stage_input.wire()).decode()
    if len(text.encode()) > MAX_INPUT_BYTES:
        raise ValueError(f"input of Job {job.name} is larger than {MAX_INPUT_BYTES} bytes")
    if not job.pod.resources.get("limits"):
        raise ValueError(f"Job {job.name} has no resource limits")
    labels = {**job.labels, LABEL_ROLE: job.role}
    annotations = {ANNOTATION_INPUT_HASH: job.stage_input.input_hash, ANNOTATION_INPUT: text}
    queue = {QUEUE_LABEL: job.queue} if job.queue else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "namespace": job.namespace,
            "name": job.name,
            "labels": {**labels, **queue},
            "annotations": {ANNOTATION_INPUT_HASH: job.stage_input.input_hash},
            "ownerReferences": [_owner_reference(job.owner)],
        },
        "spec": {
            # A repetition is a new Job made by us, so that every attempt leaves a record.
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}]
            },
            "template": {
                "metadata": {
                    "labels": {**job.pod.labels, **labels},
                    "annotations": {**job.pod.annotations, **annotations},
                },
                "spec": _pod_spec(job),
            },
        },
    }


def _owner_reference(owner: Owner) -> dict[str, Any]:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _pod_spec(job: StageJob) -> dict[str, Any]:
    volumes, mounts = _volumes(job.pod)
    return {
        **job.pod.placement,
        "restartPolicy": "Never",
        "serviceAccountName": job.pod.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "imagePullSecrets": [{"name": name} for name in job.pod.pull_secrets],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": RUN_AS_USER,
            "runAsGroup": RUN_AS_USER,
            "fsGroup": RUN_AS_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(job, mounts)],
        "volumes": volumes,
    }


def _container(job: StageJob, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    folders = {"HOME": SCRATCH_FOLDER, "TMPDIR": f"{SCRATCH_FOLDER}/tmp"}  # noqa: S108 - a mount of its own
    environment = {**folders, **job.pod.environment}
    return {
        "name": "stage",
        "image": job.image,
        # The interpreter as a list: no shell ever sees a value of ours.
        "command": ["python3", "-m", "compression_jobs", job.stage_input.parameters.stage],
        "env": [{"name": name, "value": value} for name, value in sorted(environment.items())],
        "resources": dict(job.pod.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }


def _volumes(pod: PodSettings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The volumes of a pod and where its container sees them."""
    annotation = f"metadata.annotations['{GROUP}/input']"
    file = INPUT_FILE.removeprefix(f"{INPUT_FOLDER}/")
    volumes: list[dict[str, Any]] = [
        {
            "name": "input",
            "downwardAPI": {"items": [{"path": file, "fieldRef": {"fieldPath": annotation}}]},
        },
        {"name": "scratch", "emptyDir": {"sizeLimit": SCRATCH_LIMIT}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "input", "mountPath": INPUT_FOLDER, "readOnly": True},
        {"name": "scratch", "mountPath": SCRATCH_FOLDER},
    ]
    if pod.shared_memory:
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": pod.shared_memory}})
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - a mount of the pod's own
    for name, secret, folder in (
        ("storage-credentials", pod.storage_secret, STORAGE_SECRET_FOLDER),
        ("registry-credentials", pod.registry_secret, REGISTRY_SECRET_FOLDER),
    ):
        if secret:
            # Optional, so that the stage starts and says which Secret lacks which key; a pod that waits for
            # a missing Secret says nothing.
            source = {"secretName": secret, "defaultMode": SECRET_MODE, "optional": True}
            volumes.append({"name": name, "secret": source})
            mounts.append({"name": name, "mountPath": folder, "readOnly": True})
    return volumes, mounts
