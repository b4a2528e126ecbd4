"""From raw objects to the few fields that decisions look at.

Owns the reading of Job, Pod and Deployment JSON, tolerant of everything that may be absent. A projection
shares nothing with the raw object, except a Deployment's pod template, which is kept whole on purpose.
Source: Kubernetes API reference, batch/v1, core/v1, apps/v1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from compression_contract.keys import ANNOTATION_INPUT_HASH, GROUP, LABEL_ROLE
from compression_operator.core.observed import ChildJob, DeploymentView, Identity, PodView, Terminated
from compression_operator.engine.controller import Key

Raw = Mapping[str, Any]

EPOCH: Final = datetime.fromtimestamp(0, UTC)
MAX_MESSAGE: Final = 1024
COMPLETION_INDEX: Final = "batch.kubernetes.io/job-completion-index"
"""Annotation of the pods of an Indexed Job: their number."""
MAX_TERMINATION_MESSAGE: Final = 4096
"""The kubelet cuts a termination message there; nothing longer is believed."""


def moment(text: object) -> datetime | None:
    """An RFC 3339 time, or None if it is absent or unreadable."""
    if not isinstance(text, str) or not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def version_of(raw: Raw) -> int:
    """The resourceVersion as a number: versions of one resource can be compared.

    Source: Kubernetes API concepts, "Resource versions", and KEP-5504, comparable resource versions.
    """
    text = str(_meta(raw).get("resourceVersion") or "")
    return int(text) if text.isdecimal() else 0


def uid_of(raw: Raw) -> str:
    """metadata.uid."""
    return str(_meta(raw).get("uid") or "")


def key_of(raw: Raw, kind: str) -> Key:
    """The key of an object."""
    meta = _meta(raw)
    return Key(kind, str(meta.get("namespace") or ""), str(meta.get("name") or ""))


def owner_of(raw: Raw) -> tuple[Key, str] | None:
    """Key and uid of the controller owner, or None."""
    meta = _meta(raw)
    for reference in meta.get("ownerReferences") or ():
        if reference.get("controller"):
            key = Key(
                str(reference.get("kind")), str(meta.get("namespace") or ""), str(reference.get("name"))
            )
            return key, str(reference.get("uid") or "")
    return None


def identity_of(raw: Raw) -> Identity:
    """Which object this is."""
    meta = _meta(raw)
    return Identity(
        namespace=str(meta.get("namespace") or ""),
        name=str(meta.get("name") or ""),
        uid=str(meta.get("uid") or ""),
        generation=int(meta.get("generation") or 0),
        resource_version=str(meta.get("resourceVersion") or ""),
        created=moment(meta.get("creationTimestamp")) or EPOCH,
        deleting=bool(meta.get("deletionTimestamp")),
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
    )


def child_job(raw: Raw) -> ChildJob:
    """A Job without its pods."""
    meta = _meta(raw)
    owner = owner_of(raw)
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key.startswith(f"{GROUP}/")}
    conditions = _conditions(raw)
    failed = conditions.get("Failed") or conditions.get("FailureTarget") or {}
    return ChildJob(
        name=str(meta.get("name") or ""),
        uid=str(meta.get("uid") or ""),
        owner_uid=owner[1] if owner else "",
        role=str(labels.get(LABEL_ROLE) or ""),
        input_hash=str((meta.get("annotations") or {}).get(ANNOTATION_INPUT_HASH) or ""),
        created=moment(meta.get("creationTimestamp")) or EPOCH,
        labels=labels,
        complete="Complete" in conditions or "SuccessCriteriaMet" in conditions,
        failed=bool(failed),
        failed_reason=str(failed.get("reason") or ""),
        failed_message=str(failed.get("message") or "")[:MAX_MESSAGE],
        deleting=bool(meta.get("deletionTimestamp")),
    )


def pod_view(raw: Raw) -> PodView:
    """A pod; it ends as its first container ends, or as an init container that kept it from starting.

    Where a second container stores what the first has left, both must have ended, and what is said is the
    second one's: the first one ran an author's code.
    """
    meta, spec, status = _meta(raw), raw.get("spec") or {}, raw.get("status") or {}
    owner = owner_of(raw)
    conditions = _conditions(raw, only_true=False)
    scheduled = conditions.get("PodScheduled") or {}
    containers = status.get("containerStatuses") or ()
    main = containers[0] if containers else {}
    waiting = _waiting(status)
    return PodView(
        name=str(meta.get("name") or ""),
        uid=str(meta.get("uid") or ""),
        owner_uid=owner[1] if owner else "",
        phase=str(status.get("phase") or ""),
        node=str(spec.get("nodeName") or ""),
        address=str(status.get("podIP") or ""),
        ready=(conditions.get("Ready") or {}).get("status") == "True",
        restarts=sum(int(each.get("restartCount") or 0) for each in containers),
        waiting_reason=str(waiting.get("reason") or ""),
        waiting_message=str(waiting.get("message") or "")[:MAX_MESSAGE],
        images=tuple(str(each.get("image") or "") for each in spec.get("containers") or ()),
        image_id=" ".join(str(each["imageID"]) for each in containers if each.get("imageID")),
        scheduled=scheduled.get("status") != "False",
        unschedulable_message=(
            str(scheduled.get("message") or "")[:MAX_MESSAGE] if scheduled.get("status") == "False" else ""
        ),
        disrupted=(conditions.get("DisruptionTarget") or {}).get("status") == "True",
        terminated=_terminated(main, spec, status),
        created=moment(meta.get("creationTimestamp")),
        started=_started(main) or _began(status),
        deleting=bool(meta.get("deletionTimestamp")),
        labels={
            key: value for key, value in (meta.get("labels") or {}).items() if key.startswith(f"{GROUP}/")
        },
        rank=_rank(meta),
    )


def deployment_view(raw: Raw, container: str, pods: Iterable[Raw] = ()) -> DeploymentView:
    """A Deployment with the pods that its selector matches."""
    meta, spec, status = _meta(raw), raw.get("spec") or {}, raw.get("status") or {}
    progressing = _conditions(raw, only_true=False).get("Progressing") or {}
    return DeploymentView(
        name=str(meta.get("name") or ""),
        uid=str(meta.get("uid") or ""),
        resource_version=str(meta.get("resourceVersion") or ""),
        generation=int(meta.get("generation") or 0),
        observed_generation=int(status.get("observedGeneration") or 0),
        replicas=int(1 if spec.get("replicas") is None else spec["replicas"]),
        updated=int(status.get("updatedReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        total=int(status.get("replicas") or 0),
        progress_deadline_exceeded=(
            (moment(progressing.get("lastUpdateTime")) or EPOCH)
            if progressing.get("reason") == "ProgressDeadlineExceeded"
            else None
        ),
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
        selector=dict((spec.get("selector") or {}).get("matchLabels") or {}),
        template=spec.get("template") or {},
        image_manager=image_manager(raw, container),
        deleting=bool(meta.get("deletionTimestamp")),
        pods=tuple(sorted((pod_view(pod) for pod in pods), key=lambda pod: pod.name)),
    )


def image_manager(raw: Raw, container: str) -> tuple[str, str] | None:
    """(manager, operation) that owns a container's image by `managedFields`; the latest if several do."""
    path = ("f:spec", "f:template", "f:spec", "f:containers", f'k:{{"name":"{container}"}}', "f:image")
    owners = [
        (str(entry.get("time") or ""), str(entry.get("manager") or ""), str(entry.get("operation") or ""))
        for entry in _meta(raw).get("managedFields") or ()
        if _has(entry.get("fieldsV1"), path)
    ]
    return max(owners)[1:] if owners else None


def _has(tree: Any, path: tuple[str, ...]) -> bool:
    for step in path:
        if not isinstance(tree, Mapping) or step not in tree:
            return False
        tree = tree[step]
    return True


def _meta(raw: Raw) -> Raw:
    return raw.get("metadata") or {}


def _conditions(raw: Raw, *, only_true: bool = True) -> dict[str, Raw]:
    return {
        str(condition.get("type")): condition
        for condition in (raw.get("status") or {}).get("conditions") or ()
        if not only_true or condition.get("status") == "True"
    }


def _waiting(status: Raw) -> Raw:
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "", "ContainerCreating", "PodInitializing"):
            return waiting
    return {}


def _rank(meta: Raw) -> int:
    text = str((meta.get("annotations") or {}).get(COMPLETION_INDEX) or "0")
    return int(text) if text.isdecimal() else 0


def _started(main: Raw) -> datetime | None:
    state = main.get("state") or {}
    return moment(((state.get("running") or state.get("terminated")) or {}).get("startedAt"))


def _began(status: Raw) -> datetime | None:
    """When the first of the containers before the main one began to run."""
    begun = [_started(each) for each in status.get("initContainerStatuses") or ()]
    return min((at for at in begun if at is not None), default=None)


def _terminated(main: Raw, spec: Raw, status: Raw) -> Terminated | None:
    ended = _end(main)
    before = {str(each.get("name")): _end(each) for each in status.get("initContainerStatuses") or ()}
    beside = [
        str(each.get("name"))
        for each in spec.get("initContainers") or ()
        if each.get("restartPolicy") == "Always"
    ]
    if ended is None:
        kept = [end for name, end in before.items() if end and end.exit_code and name not in beside]
        return kept[-1] if kept else None
    if not beside:
        return ended
    stored = before.get(beside[0])
    if stored is None and status.get("phase") not in ("Succeeded", "Failed"):
        return None
    stored = stored or Terminated(0, "", "", ended.finished)
    if ended.exit_code:
        return replace(ended, message=stored.message, finished=stored.finished)
    return stored


def _end(container: Raw) -> Terminated | None:
    ended = (container.get("state") or {}).get("terminated")
    if ended is None:
        return None
    return Terminated(
        exit_code=int(ended.get("exitCode") or 0),
        reason=str(ended.get("reason") or ""),
        message=str(ended.get("message") or "")[:MAX_TERMINATION_MESSAGE],
        finished=moment(ended.get("finishedAt")),
    )
