"""The pod of a stage: restricted, without a token, with its input and as few credentials as it needs.

Owns the pod's shape: containers, security, mounts, limits. Where an author's code runs, credentials stay out
of its container: one container fetches before it and another stores after it. Must not know Jobs.
Sources: Kubernetes, "Pod Security Standards", profile restricted; "Sidecar Containers": a container that is
restarted always ends after the main one, which is how it learns that there is something to store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compression_contract.keys import (
    ENV_EXCHANGE,
    EXCHANGE_FOLDER,
    EXCHANGE_INPUTS,
    EXCHANGE_OUTPUTS,
    GROUP,
    INPUT_FILE,
    INPUT_FOLDER,
    REGISTRY_SECRET_FOLDER,
    RUN_AS_USER,
    SCRATCH_FOLDER,
    STORAGE_SECRET_FOLDER,
    TERMINATION_LOG,
)

DEFAULT_SERVICE_ACCOUNT: Final = "compression-runner"
STAGE: Final = "stage"
FETCH: Final = "fetch"
STORE: Final = "store"
VOLUME_LIMIT: Final = "10Gi"
SECRET_MODE: Final = 0o440
GRACE_SECONDS: Final = 60
"""Between SIGTERM and SIGKILL."""
CHECKPOINT_GRACE_SECONDS: Final = 180
"""The same where a training writes a checkpoint at SIGTERM."""
STORE_GRACE_SECONDS: Final = 600
"""The same where a second container stores what the first has left."""
_INPUT: Final[dict[str, Any]] = {"name": "input", "mountPath": INPUT_FOLDER, "readOnly": True}


@dataclass(frozen=True, slots=True)
class Couriers:
    """The two containers that hold the credentials which an author's code must not see."""

    image: str
    resources: Mapping[str, Any]


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
    couriers: Couriers | None = None
    """Given where an author's code runs."""
    grace_seconds: int = GRACE_SECONDS


def pod_spec(stage: str, image: str, pod: PodSettings, ours: Mapping[str, str]) -> dict[str, Any]:
    """The pod's spec; `ours` are environment variables that no author can overwrite."""
    split = pod.couriers is not None
    ours = {**ours, ENV_EXCHANGE: EXCHANGE_FOLDER} if split else ours
    mounts = _stage_mounts(pod)
    main = _Container(STAGE, image, stage, pod.resources, {**pod.environment, **ours}).body(mounts)
    return {
        **pod.placement,
        "restartPolicy": "Never",
        "serviceAccountName": pod.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STORE_GRACE_SECONDS if split else pod.grace_seconds,
        "imagePullSecrets": [{"name": name} for name in pod.pull_secrets],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": RUN_AS_USER,
            "runAsGroup": RUN_AS_USER,
            "fsGroup": RUN_AS_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({} if pod.couriers is None else {"initContainers": _couriers(pod.couriers, pod, ours)}),
        "containers": [main],
        "volumes": _volumes(pod),
    }


def _couriers(couriers: Couriers, pod: PodSettings, ours: Mapping[str, str]) -> list[dict[str, Any]]:
    """Fetch runs before the stage; store runs beside it, and ends after it."""
    own = [_INPUT, {"name": "transfer", "mountPath": SCRATCH_FOLDER}, *_secret_mounts(pod)]
    inputs = {"name": "inputs", "mountPath": EXCHANGE_INPUTS}
    outputs = {"name": "outputs", "mountPath": EXCHANGE_OUTPUTS}
    image, resources = couriers.image, couriers.resources
    fetch = _Container(FETCH, image, FETCH, resources, ours).body([*own, inputs, outputs])
    store = _Container(STORE, image, STORE, resources, ours).body([*own, {**outputs, "readOnly": True}])
    return [fetch, {**store, "restartPolicy": "Always"}]


@dataclass(frozen=True, slots=True)
class _Container:
    name: str
    image: str
    stage: str
    resources: Mapping[str, Any]
    environment: Mapping[str, str]

    def body(self, mounts: list[dict[str, Any]]) -> dict[str, Any]:
        folders = {"HOME": SCRATCH_FOLDER, "TMPDIR": f"{SCRATCH_FOLDER}/tmp"}  # noqa: S108 - its own mount
        variables = {**folders, **self.environment}
        return {
            "name": self.name,
            "image": self.image,
            # The interpreter as a list: no shell ever sees a value of ours.
            "command": ["python3", "-m", "compression_jobs", self.stage],
            "env": [{"name": key, "value": value} for key, value in sorted(variables.items())],
            "resources": dict(self.resources),
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


def _stage_mounts(pod: PodSettings) -> list[dict[str, Any]]:
    mounts = [_INPUT, {"name": "scratch", "mountPath": SCRATCH_FOLDER}]
    if pod.shared_memory:
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - a mount of the pod's own
    if pod.couriers is None:
        return [*mounts, *_secret_mounts(pod)]
    mounts.append({"name": "inputs", "mountPath": EXCHANGE_INPUTS, "readOnly": True})
    return [*mounts, {"name": "outputs", "mountPath": EXCHANGE_OUTPUTS}]


def _secrets(pod: PodSettings) -> list[tuple[str, str, str]]:
    """Volume, Secret and folder of each credential."""
    known = (
        ("storage-credentials", pod.storage_secret, STORAGE_SECRET_FOLDER),
        ("registry-credentials", pod.registry_secret, REGISTRY_SECRET_FOLDER),
    )
    return [entry for entry in known if entry[1]]


def _secret_mounts(pod: PodSettings) -> list[dict[str, Any]]:
    return [{"name": name, "mountPath": folder, "readOnly": True} for name, _, folder in _secrets(pod)]


def _volumes(pod: PodSettings) -> list[dict[str, Any]]:
    annotation = f"metadata.annotations['{GROUP}/input']"
    file = INPUT_FILE.removeprefix(f"{INPUT_FOLDER}/")
    items = [{"path": file, "fieldRef": {"fieldPath": annotation}}]
    volumes: list[dict[str, Any]] = [{"name": "input", "downwardAPI": {"items": items}}]
    scratch = ("scratch",) if pod.couriers is None else ("scratch", "transfer", "inputs", "outputs")
    volumes += [{"name": name, "emptyDir": {"sizeLimit": VOLUME_LIMIT}} for name in scratch]
    if pod.shared_memory:
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": pod.shared_memory}})
    for name, secret, _ in _secrets(pod):
        # Optional, so that the stage starts and says which Secret lacks which key; a pod that waits for
        # a missing Secret says nothing.
        source = {"secretName": secret, "defaultMode": SECRET_MODE, "optional": True}
        volumes.append({"name": name, "secret": source})
    return volumes
