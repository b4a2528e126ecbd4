"""The batch/v1 Job of one stage: a pod that reads its input and ends with a result, or several that train.

Owns the Job's shape: one attempt, its input, its ranks. Not tied to a kind: a CompressionJob's stages and a
Promotion's probes are built here. Must not decide when a Job is made nor what its input says.
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
    ENV_MASTER,
    ENV_REPLICAS,
    LABEL_ROLE,
    MASTER_PORT,
    MAX_INPUT_BYTES,
)
from compression_operator.core.manifests.pod import PodSettings, pod_spec

QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that the Job works for; deleting it deletes the Job."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Ranks:
    """Several pods that train together."""

    count: int
    service: str
    """Name of the headless Service under which the first one is found."""


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
    ranks: Ranks | None = None
    """None: one pod."""


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
            "ownerReferences": [owner_reference(job.owner)],
        },
        "spec": {
            # A repetition is a new Job made by us, so that every attempt leaves a record.
            "backoffLimit": 0,
            **_completions(job.ranks),
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [{"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}]
            },
            "template": {
                "metadata": {
                    "labels": {**job.pod.labels, **labels},
                    "annotations": {**job.pod.annotations, **annotations},
                },
                "spec": _pod(job),
            },
        },
    }


def owner_reference(owner: Owner) -> dict[str, Any]:
    """The reference by which the garbage collector ties an object to its owner."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _completions(ranks: Ranks | None) -> dict[str, Any]:
    """One pod a rank; the Job controller numbers them and names their hosts `<job>-<rank>`."""
    if ranks is None:
        return {}
    return {"completionMode": "Indexed", "completions": ranks.count, "parallelism": ranks.count}


def _pod(job: StageJob) -> dict[str, Any]:
    stage, ranks = job.stage_input.parameters.stage, job.ranks
    if ranks is None:
        return pod_spec(stage, job.image, job.pod, {})
    master = f"{job.name}-0.{ranks.service}:{MASTER_PORT}"
    ours = {ENV_REPLICAS: str(ranks.count), ENV_MASTER: master}
    return {**pod_spec(stage, job.image, job.pod, ours), "subdomain": ranks.service}
