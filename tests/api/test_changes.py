"""What may change in a stored object, and what may not."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from cluster.errors import ClusterError
from support.manifests import (
    DIGEST,
    REMOVE,
    changed,
    full_job,
    minimal_job,
    model_version,
    promotion,
    serving_target,
)


@pytest.fixture(scope="session")
def store(server):
    """Stores manifests, each under a name of its own, and takes them away in the end."""
    kinds = set()

    def _store(manifest):
        stored = changed(
            manifest, {"metadata.name": f"{manifest['metadata']['name'][:24]}-{uuid4().hex[:8]}"}
        )
        # People may not make a Promotion that is approved already.
        create = server.operator if stored["kind"] == "Promotion" else server.kubectl
        create("create", "-f", "-", stdin=json.dumps(stored))
        kinds.add(stored["kind"])
        return stored

    yield _store
    for kind in kinds:
        server.kubectl("delete", kind, "--all", "--wait=false")


@pytest.fixture(scope="session")
def full(store):
    """A stored job that says everything it can; for changes that are refused."""
    return store(full_job())


def attempt(server, manifest):
    """Replace the stored object, as a controller's PUT does; returns the refusal or an empty string."""
    try:
        server.kubectl("replace", "-f", "-", stdin=json.dumps(manifest))
    except ClusterError as error:
        return str(error)
    return ""


IMMUTABLE = {
    "another section value": {"spec.model.version": "2.0.0"},
    "another task": {"spec.task": "ObjectDetection"},
    "a gate loosened": {"spec.gates.0.metric.min": 0.1},
    "a gate removed": {"spec.gates.4": REMOVE},
    "a step changed": {"spec.pipeline.steps.1.ptq.calibration.batches": 7},
    "the plan removed": {"spec.pipeline": REMOVE},
    "code removed": {"spec.code": REMOVE},
    "another code": {"spec.code.uri": "s3://team-a/code/other.tgz"},
    "another teacher": {"spec.teachers.0.uri": "s3://team-a/teachers/other"},
    "another dataset": {"spec.dataset.digest": "sha256:" + "cd" * 32},
    "another student": {"spec.student.arch": "resnet18"},
    "another evaluation": {"spec.evaluation.maxSamples": 5},
    "another repository": {"spec.packaging.repository": "registry.example.com/team-a/other"},
    "another threshold": {"spec.scan.thresholds": {"critical": 5}},
    "another target": {"spec.promotion.targets.0.name": "other"},
    "another deadline": {"spec.runPolicy.backoffLimit": 9},
    "another pod template": {"spec.podTemplates.train": REMOVE},
    "another runtime": {"spec.runtimeRef": {"name": "other"}},
    "another storage": {"spec.storage.prefix": "s3://team-a/elsewhere"},
    "another export": {"spec.export.onnxOpset": 17},
}


@pytest.mark.parametrize("name", IMMUTABLE)
def test_a_section_of_a_job_cannot_be_changed(server, full, name):
    refusal = attempt(server, changed(full, IMMUTABLE[name]))
    assert "create a new job with another name" in refusal


def test_the_order_of_steps_is_part_of_the_plan(server, store):
    steps = [{"name": "a", "type": "PTQ", "ptq": {}}, {"name": "b", "type": "PTQ", "ptq": {}}]
    job = store(changed(minimal_job(), {"spec.pipeline": {"steps": steps}}))
    refusal = attempt(server, changed(job, {"spec.pipeline": {"steps": steps[::-1]}}))
    assert "the order of spec.pipeline.steps is immutable" in refusal


def test_code_cannot_be_added_later(server, store):
    job = store(minimal_job())
    refusal = attempt(server, changed(job, {"spec.code": {"uri": "s3://team-a/code.tgz", "digest": DIGEST}}))
    assert "spec.code is immutable" in refusal


@pytest.mark.parametrize(
    "changes",
    [
        {"spec.suspend": True},
        {"spec.ttlSecondsAfterFinished": 5},
        {"spec.ttlSecondsAfterFinished": REMOVE},
        {"spec.cancel": True},
        {"metadata.labels": {"team": "a"}},
        {"spec.runtimeRef": {"name": "default"}},
    ],
    ids=["suspend", "ttl", "no ttl", "cancel", "label", "a default written out"],
)
def test_what_is_meant_to_change_can_be_changed(server, store, changes):
    assert attempt(server, changed(store(full_job()), changes)) == ""


@pytest.mark.parametrize("value", [False, REMOVE], ids=["false", "absent"])
def test_a_cancelled_job_stays_cancelled(server, store, value):
    job = store(changed(minimal_job(), {"spec.cancel": True}))
    assert "cancel is one-way" in attempt(server, changed(job, {"spec.cancel": value}))


def test_an_allowed_change_does_not_carry_a_forbidden_one(server, store):
    job = store(minimal_job())
    refusal = attempt(server, changed(job, {"spec.cancel": True, "spec.task": "ObjectDetection"}))
    assert "spec.task is immutable" in refusal


APPROVAL = {"user": "alice", "decision": "Approve", "imageDigest": DIGEST}


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (serving_target(), {"spec.deploymentRef.name": "other"}, "deploymentRef is immutable"),
        (serving_target(), {"spec.container": "other"}, "container is immutable"),
        (promotion(), {"spec.imageDigest": "sha256:" + "cd" * 32}, "spec.imageDigest is immutable"),
        (promotion(), {"spec.intent": "Retry"}, "spec.intent is immutable"),
        (promotion(), {"spec.orderKey": "9999"}, "spec.orderKey is immutable"),
        (changed(promotion(), {"spec.abort": True}), {"spec.abort": False}, "abort is one-way"),
        (
            changed(promotion(), {"spec.approvals": [APPROVAL]}),
            {"spec.approvals": []},
            "approvals may only be added",
        ),
        (
            changed(promotion(), {"spec.approvals": [APPROVAL]}),
            {"spec.approvals.0.decision": "Reject"},
            "approvals may only be added",
        ),
        (model_version(), {"spec.evaluation.samples": 1}, "spec.evaluation is evidence and is immutable"),
        (model_version(), {"spec.version": "2.0.0"}, "spec.version is evidence and is immutable"),
        (
            changed(
                model_version(),
                {"spec.revoked": {"reason": "bad data", "at": "2026-11-21T10:00:00Z", "by": "alice"}},
            ),
            {"spec.revoked": REMOVE},
            "a revocation stays",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_records_and_references_of_the_other_kinds_do_not_change(server, store, before, after, sentence):
    assert sentence in attempt(server, changed(store(before), after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (serving_target(), {"spec.paused": True}),
        (promotion(), {"spec.abort": True}),
        (promotion(), {"spec.approvals": [APPROVAL]}),
        (
            model_version(),
            {"spec.revoked": {"reason": "bad data", "at": "2026-11-21T10:00:00Z", "by": "alice"}},
        ),
    ],
    ids=["pause", "abort", "approve", "revoke"],
)
def test_what_people_decide_later_can_be_written(server, store, before, after):
    assert attempt(server, changed(store(before), after)) == ""
