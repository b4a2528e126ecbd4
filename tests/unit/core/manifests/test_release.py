"""ModelVersion and Promotion: complete evidence, or none at all."""

from __future__ import annotations

import pytest

from compression_contract.base import digest_of
from compression_operator.api import CompressionJobStatus, ModelVersion, Promotion
from compression_operator.core.compression.passage import Passage
from compression_operator.core.manifests.model_version import model_version, same_release
from compression_operator.core.manifests.promotion import Release, order_key, promotion
from support.manifests import changed
from unit.core.compression.scripts import distilled
from unit.core.compression.world import World


@pytest.fixture(scope="module")
def passage():
    world = World(distilled(spec__model={"name": "fmnist", "version": "1.4.0"})).run()
    return Passage(world.observe(), world.now)


def manifest(passage, **changes):
    status = passage.status.model_copy(update=changes)
    return model_version(passage.observed.identity, passage.plan, status)


def test_a_release_carries_all_of_its_evidence(passage):
    release = manifest(passage)
    spec = ModelVersion.parse(release).spec
    assert release["metadata"]["name"] == f"fmnist-{passage.status.image.manifest_digest[7:19]}"
    assert release["metadata"]["labels"] == {"compression.modelops.dev/model": "fmnist"}
    assert spec.version == "1.4.0"
    assert spec.image.reference == (
        f"{passage.status.image.repository}@{passage.status.image.manifest_digest}"
    )
    assert spec.artifact.manifest_digest == passage.status.selected.manifest_digest
    assert spec.artifact.format == "ONNXQDQ"
    assert spec.evaluation.metrics[0].value == "0.8625"
    assert spec.evaluation.baseline.metrics[0].value == "0.8661"
    assert {gate.name for gate in spec.gates} == {"floor", "vulnerabilities"}
    assert spec.scan.counts.medium == 3
    assert spec.source.uid == passage.observed.identity.uid
    assert spec.source.dataset_digest == digest_of(b"dataset")
    assert set(spec.source.images) == {"runner", "tools", "servingBase", "evaluator.onnxruntime"}


@pytest.mark.parametrize(
    "gap",
    [
        {"image": None},
        {"selected": None},
        {"candidates": ()},
        {"scan": None},
    ],
)
def test_a_release_without_a_piece_of_evidence_is_not_made(passage, gap):
    with pytest.raises(LookupError):
        manifest(passage, **gap)


def test_a_release_needs_its_golden_outputs(passage):
    (candidate,) = passage.status.candidates
    bare = candidate.results[0].model_copy(update={"golden_digest": None})
    with pytest.raises(LookupError, match="golden"):
        manifest(passage, candidates=(candidate.model_copy(update={"results": (bare,)}),))


def test_only_the_shipped_targets_measurements_count(passage):
    (candidate,) = passage.status.candidates
    other = candidate.results[0].model_copy(update={"target": "elsewhere"})
    both = candidate.model_copy(update={"results": (other, *candidate.results)})
    assert manifest(passage, candidates=(both,))["spec"]["evaluation"]["target"] == "ort"
    alone = candidate.model_copy(update={"results": (other,)})
    with pytest.raises(LookupError, match="not measured"):
        manifest(passage, candidates=(alone,))


def test_measurements_that_were_not_taken_are_left_out(passage):
    (candidate,) = passage.status.candidates
    plain = candidate.results[0].model_copy(update={"latency": None, "node": None})
    baseline = passage.status.baseline.model_copy(update={"latency": None})
    changes = {"candidates": (candidate.model_copy(update={"results": (plain,)}),)}
    spec = manifest(passage, **changes, baseline=baseline)["spec"]
    assert "latencyP95" not in spec["evaluation"]
    assert "latencyP95" not in spec["evaluation"]["baseline"]
    assert "baseline" not in manifest(passage, **changes, baseline=None)["spec"]["evaluation"]


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("spec.version", True),
        ("spec.source.uid", True),
        ("spec.model", False),
        ("spec.image.manifestDigest", False),
        ("spec.artifact.manifestDigest", False),
    ],
)
def test_a_release_is_its_model_its_image_and_its_artifact(passage, path, same):
    release = manifest(passage)
    assert same_release(changed(release, {path: "other"}), release) is same


def test_the_status_survives_the_journey_through_the_api_server(passage):
    assert CompressionJobStatus.model_validate(passage.status.to_dict()) == passage.status


def test_a_promotion_asks_in_the_order_of_intent(passage):
    identity = passage.observed.identity
    release = Release("fmnist", "fmnist-abc", digest_of(b"image"), approvals=2)
    body = promotion(identity, "prod", "uid-of-target", release)
    spec = Promotion.parse(body).spec
    assert body["metadata"]["name"] == f"prod-{digest_of(b'image')[7:17]}-0"
    assert body["metadata"]["ownerReferences"][0]["kind"] == "ServingTarget"
    assert spec.order_key == order_key(identity) == f"2026-11-22T10:00:00Z/{identity.uid}"
    assert spec.approvals_required == 2
    assert spec.requested_by.kind == "CompressionJob"
    assert "ownerReferences" not in promotion(identity, "prod", None, release)["metadata"]
