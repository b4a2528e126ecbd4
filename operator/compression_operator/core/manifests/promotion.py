"""The Promotion that a job asks for: this release, to that target, in the order of intent.

Owns the manifest. Must not know how a promotion is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from compression_contract.keys import API_VERSION, LABEL_MODEL
from compression_operator.api.meta import NamedRef
from compression_operator.api.promotion import ModelVersionRef, PromotionSpec, RequestedBy
from compression_operator.core import names
from compression_operator.core.observed import Identity

KIND: Final = "Promotion"


@dataclass(frozen=True, slots=True)
class Release:
    """What is promoted."""

    model: str
    version_name: str
    manifest_digest: str
    approvals: int


def order_key(identity: Identity) -> str:
    """The place in the order of intent: when the job was created, not when it finished.

    The uid makes the order total; the same job has the same key however often it is computed.
    """
    return f"{identity.created:%Y-%m-%dT%H:%M:%SZ}/{identity.uid}"


def promotion(identity: Identity, target: str, target_uid: str | None, release: Release) -> dict[str, Any]:
    """The manifest; it belongs to the target, where that is known to exist."""
    spec = PromotionSpec(
        target_ref=NamedRef(name=target),
        model_version_ref=ModelVersionRef(namespace=identity.namespace, name=release.version_name),
        image_digest=release.manifest_digest,
        order_key=order_key(identity),
        requested_by=RequestedBy(kind="CompressionJob", name=identity.name, uid=identity.uid),
        approvals_required=release.approvals,
    )
    metadata: dict[str, Any] = {
        "namespace": identity.namespace,
        "name": names.promotion(target, release.manifest_digest),
        "labels": {LABEL_MODEL: release.model},
    }
    if target_uid is not None:
        metadata["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": "ServingTarget",
                "name": target,
                "uid": target_uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ]
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec.to_dict()}
