"""The headless Service by which pods that train together find the first of them.

Owns its shape. One serves a whole run: the host names within it are those of each attempt's Job, so that two
attempts never meet; it goes with the run that owns it. Must not know who trains.
Source: Kubernetes, "Job", "Job with pod-to-pod communication".
"""

from __future__ import annotations

from typing import Any

from compression_contract.keys import LABEL_JOB, LABEL_JOB_UID, LABEL_ROLE, MASTER_PORT
from compression_operator.core import names
from compression_operator.core.manifests.stage_job import Owner, owner_reference


def ranks_service(owner: Owner, namespace: str) -> dict[str, Any]:
    """The Service's manifest."""
    labels = {LABEL_JOB: owner.name, LABEL_JOB_UID: owner.uid, LABEL_ROLE: "train"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": namespace,
            "name": names.ranks_service(owner.name, owner.uid),
            "labels": labels,
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {
            "clusterIP": "None",
            # Ranks look for each other before any of them is ready.
            "publishNotReadyAddresses": True,
            "selector": {LABEL_JOB_UID: owner.uid, LABEL_ROLE: "train"},
            "ports": [{"name": "training", "port": MASTER_PORT, "protocol": "TCP"}],
        },
    }
