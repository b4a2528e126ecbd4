"""What tests assert about a release that is live."""

from __future__ import annotations

from compression_contract.keys import ANNOTATION_MODEL_VERSION
from demo import prediction
from e2e.promotion.serving_team import MODEL, NAMESPACE, ServingTeam, image_of
from support.releases import Release


def assert_live(team: ServingTeam, release: Release) -> None:
    """The release answers through the Service as it was evaluated, and the target knows it as good."""
    answered = prediction.against_golden(team.kube, NAMESPACE, MODEL, MODEL)
    assert answered.artifact_digest == release.described.artifact_digest
    assert answered.golden_digest == release.described.golden_digest
    assert answered.agreement == 1
    assert answered.largest_difference <= release.described.tolerance.max_absolute_difference
    deployment, target = team.deployment(), team.target()
    assert image_of(deployment) == release.image
    assert deployment["metadata"]["annotations"][ANNOTATION_MODEL_VERSION] == release.name
    assert target["lastGood"]["image"] == target["live"]["image"] == release.image
    assert target["lastGood"]["modelVersion"] == target["live"]["modelVersion"] == release.name
