"""The Job of a probe: a Promotion's question to a few pods.

Owns what differs from a CompressionJob's stages: the owner, the small resources, the pull secrets of the
Deployment that is questioned. Must not know what is asked.
"""

from __future__ import annotations

from typing import Any, Final

from compression_contract.base import digest_of_json
from compression_contract.inputs import ProbeInput, RunRef, StageInput
from compression_contract.keys import (
    API_VERSION,
    LABEL_ATTEMPT,
    LABEL_PROMOTION,
    LABEL_PROMOTION_UID,
    LABEL_STEP,
)
from compression_operator.core import names
from compression_operator.core.manifests.pod import PodSettings
from compression_operator.core.manifests.stage_job import Owner, StageJob, stage_job
from compression_operator.core.observed import Identity

RESOURCES: Final = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "512Mi"},
}


def probe_job(
    promotion: Identity, image: str, pull_secrets: tuple[str, ...], phase: str, attempt: int, ask: ProbeInput
) -> dict[str, Any]:
    """The manifest of one attempt to question pods.

    Args:
        promotion: its owner.
        image: the platform's tools image, by digest.
        pull_secrets: names of the Deployment's own image pull secrets.
        phase: which phase of the promotion asks; told apart by a label.
        attempt: from 0; each has a Job of its own.
        ask: the question.
    """
    input_hash = digest_of_json({"image": image, "ask": ask.wire(), "attempt": attempt, "phase": phase})
    key = f"{phase}/{attempt}/{input_hash}"
    return stage_job(
        StageJob(
            namespace=promotion.namespace,
            name=names.child_job(promotion.name, promotion.uid, "probe", key),
            owner=Owner(API_VERSION, "Promotion", promotion.name, promotion.uid),
            role="probe",
            image=image,
            stage_input=StageInput(
                run=RunRef(namespace=promotion.namespace, name=promotion.name, uid=promotion.uid),
                input_hash=input_hash,
                parameters=ask,
            ),
            pod=PodSettings(resources=RESOURCES, pull_secrets=pull_secrets),
            labels={
                LABEL_PROMOTION: promotion.name,
                LABEL_PROMOTION_UID: promotion.uid,
                LABEL_STEP: phase,
                LABEL_ATTEMPT: str(attempt),
            },
        )
    )
