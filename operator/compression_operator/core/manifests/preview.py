"""The preview Deployment: one pod of the new release beside the live ones, out of reach of every user.

Owns the clone of a live pod template. The clone keeps what the release needs to start on this namespace's
nodes (volumes, environment, resources, pull secrets) and loses what would let anybody find it: labels that a
Service or the live Deployment select, tracking labels of GitOps tools, affinity and spread rules.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compression_contract.keys import (
    API_VERSION,
    LABEL_PROMOTABLE,
    LABEL_PROMOTION,
    LABEL_PROMOTION_UID,
    LABEL_ROLE,
    LABEL_TRACK,
)
from compression_operator.core.observed import DeploymentView, Identity

_KEPT_POD_FIELDS = (
    "containers",
    "initContainers",
    "volumes",
    "imagePullSecrets",
    "serviceAccountName",
    "automountServiceAccountToken",
    "securityContext",
    "nodeSelector",
    "tolerations",
    "runtimeClassName",
    "priorityClassName",
    "terminationGracePeriodSeconds",
    "dnsPolicy",
    "dnsConfig",
    "enableServiceLinks",
)


@dataclass(frozen=True, slots=True)
class Release:
    """What to show: which container gets which image."""

    container: str
    image: str


def obstacle(template: Mapping[str, Any]) -> str:
    """Why a second pod of this template cannot run beside the first; empty if it can."""
    spec = template.get("spec", {})
    if spec.get("hostNetwork"):
        return "its pods use the host's network"
    ports = [port for box in spec.get("containers", ()) for port in box.get("ports", ())]
    if any(port.get("hostPort") for port in ports):
        return "its pods claim a hostPort"
    if any("persistentVolumeClaim" in volume for volume in spec.get("volumes", ())):
        return "its pods mount a PersistentVolumeClaim, which a second pod may not be able to share"
    return ""


def preview_deployment(
    name: str, promotion: Identity, live: DeploymentView, release: Release
) -> dict[str, Any]:
    """A Deployment of one replica that clones the live template with the new image.

    Args:
        name: the preview's name.
        promotion: its owner; deleting the Promotion deletes the preview.
        live: the Deployment to clone.
        release: the container to change and its image, by digest.
    """
    labels = {LABEL_TRACK: "preview", LABEL_PROMOTION_UID: promotion.uid}
    source = live.template.get("spec", {})
    spec = {key: copy.deepcopy(source[key]) for key in _KEPT_POD_FIELDS if key in source}
    for box in spec["containers"]:
        if box["name"] == release.container:
            box["image"] = release.image
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": promotion.namespace,
            "labels": {
                LABEL_ROLE: "preview",
                # Deployments are watched by the presence of this label; "false" is no consent to anything.
                LABEL_PROMOTABLE: "false",
                LABEL_PROMOTION: promotion.name,
                LABEL_PROMOTION_UID: promotion.uid,
            },
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": "Promotion",
                    "name": promotion.name,
                    "uid": promotion.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 0,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
