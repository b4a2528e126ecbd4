"""Raw objects as an API server would return them."""

from __future__ import annotations

from typing import Any

from compression_contract.keys import ANNOTATION_INPUT_HASH, API_VERSION, LABEL_ROLE

Raw = dict[str, Any]


def own(kind: str = "CompressionJob", name: str = "a", version: int = 1, **parts: Any) -> Raw:
    meta = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {**meta, **parts.pop("metadata", {})},
        "spec": parts.pop("spec", {}),
        "status": parts.pop("status", {}),
    }


def owner(kind: str = "CompressionJob", name: str = "a") -> Raw:
    return {"apiVersion": API_VERSION, "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}


def job(name: str = "j", version: int = 1, *, conditions: tuple[str, ...] = (), **parts: Any) -> Raw:
    status = {
        "conditions": [{"type": kind, "status": "True", "reason": "R", "message": "m"} for kind in conditions]
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {LABEL_ROLE: "train", "other": "label"},
            "annotations": {ANNOTATION_INPUT_HASH: "sha256:1"},
            "ownerReferences": [parts.pop("owner", owner())],
            **parts.pop("metadata", {}),
        },
        "status": {**status, **parts.pop("status", {})},
    }


def pod(name: str = "p", version: int = 1, of: str = "j", **status: Any) -> Raw:
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {LABEL_ROLE: "train"},
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "Job", "name": of, "uid": f"uid-{of}", "controller": True}
            ],
        },
        "spec": {"nodeName": "n", "containers": [{"name": "stage", "image": "i@sha256:1"}]},
        "status": {"phase": "Pending", **status},
    }


def ended(exit_code: int = 0, message: str = "result", reason: str = "Completed") -> Raw:
    terminated = {
        "exitCode": exit_code,
        "reason": reason,
        "message": message,
        "startedAt": "2026-01-01T00:00:05Z",
        "finishedAt": "2026-01-01T00:01:00Z",
    }
    return {
        "phase": "Failed" if exit_code else "Succeeded",
        "containerStatuses": [
            {"name": "stage", "imageID": "i@sha256:1", "restartCount": 0, "state": {"terminated": terminated}}
        ],
    }
