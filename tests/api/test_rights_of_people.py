"""What people may do with the chart's roles, and where its admission policies stop them."""

from __future__ import annotations

import json

import pytest

from api.subjects import (
    APPROVER,
    AUTHOR,
    EDITOR,
    ROLE,
    SERVING,
    STAGE_JOB,
    STAGE_POD,
)
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

ALLOWED = {
    "an author makes a job": (AUTHOR, minimal_job()),
    "an author names a Secret of their own": (
        AUTHOR,
        changed(minimal_job(), {"spec.storage": {"secretRef": {"name": "compression-s3-team-a"}}}),
    ),
    "an editor makes a job": (EDITOR, minimal_job()),
    "a serving team opts in": (SERVING, serving_target()),
    "a serving team asks in its own name": (SERVING, changed(promotion(), {"spec.requestedBy.user": "sam"})),
}

DENIED = {
    "a Secret that is not the author's": (
        AUTHOR,
        changed(minimal_job(), {"spec.storage": {"secretRef": {"name": "compression-s3-other"}}}),
        "spec.storage.secretRef: you need get on secret compression-s3-other",
    ),
    "a registry Secret that is not the author's": (
        AUTHOR,
        changed(minimal_job(), {"spec.packaging": {"pushSecretRef": {"name": "compression-registry-other"}}}),
        "spec.packaging.pushSecretRef: you need get on secret compression-registry-other",
    ),
    "a runtime that is not the author's": (
        AUTHOR,
        changed(minimal_job(), {"spec.runtimeRef": {"name": "gpu"}}),
        "you need the verb use on compressionruntime gpu",
    ),
    "a promotion in another's name": (
        SERVING,
        promotion(),
        "requestedBy must be {kind: User, user: sam}",
    ),
    "a promotion as if a job had asked": (
        SERVING,
        changed(promotion(), {"spec.requestedBy": {"kind": "CompressionJob", "name": "x"}}),
        "requestedBy must be {kind: User, user: sam}",
    ),
    "a promotion that brings its own approval": (
        SERVING,
        changed(
            promotion(),
            {
                "spec.requestedBy.user": "sam",
                "spec.approvals": [{"user": "sam", "decision": "Approve", "imageDigest": DIGEST}],
            },
        ),
        "a new Promotion has no approvals",
    ),
    "consent for another's Deployment": (
        SERVING,
        changed(serving_target(), {"spec.deploymentRef.name": "other"}),
        "you need patch on deployment other",
    ),
    "a pod that calls itself an evaluator": (
        EDITOR,
        STAGE_POD,
        f"pods labelled {ROLE} are written by the operator and the Job controller only, not by eve",
    ),
    "a Job that calls itself an evaluator": (
        EDITOR,
        STAGE_JOB,
        f"Jobs labelled {ROLE} are written by the operator and the Job controller only, not by eve",
    ),
    "a Job whose pods call themselves evaluators": (
        EDITOR,
        changed(STAGE_JOB, {"metadata.labels": {}}),
        "are written by the operator and the Job controller only, not by eve",
    ),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_people_can_do_their_work(people, name):
    user, manifest = ALLOWED[name]
    assert people.refusal(manifest, user=user) == ""


@pytest.mark.parametrize("name", DENIED)
def test_people_can_do_no_more(people, name):
    user, manifest, sentence = DENIED[name]
    assert sentence in people.refusal(manifest, user=user)


def test_evidence_cannot_be_forged_even_by_who_may_create_it(server):
    sentence = server.refusal(model_version(), user=("--as=forger", "--as-group=forgers"))
    assert "is written by the operator; others need the verb import on modelversions" in sentence


def test_a_promotion_needs_the_verb_promote(server):
    manifest = changed(promotion(), {"spec.requestedBy.user": "forger"})
    sentence = server.refusal(manifest, user=("--as=forger", "--as-group=forgers"))
    assert "you need the verb promote on servingtarget fmnist" in sentence


@pytest.mark.parametrize(
    ("approval", "sentence"),
    [
        ({"user": "anna", "decision": "Approve", "imageDigest": DIGEST}, ""),
        ({"user": "bob", "decision": "Approve", "imageDigest": DIGEST}, "user must be anna"),
        (
            {"user": "anna", "decision": "Approve", "imageDigest": "sha256:" + "cd" * 32},
            "an approval names the digest of the promotion",
        ),
    ],
    ids=["own word", "another's word", "another digest"],
)
def test_an_approval_is_ones_own_word_on_that_digest(people, stored, approval, sentence):
    name = stored(promotion())["metadata"]["name"]
    refusal = people.change(APPROVER, "promotion", name, {"spec": {"approvals": [approval]}})
    assert sentence in refusal if sentence else refusal == ""


def test_who_asks_cannot_approve_without_that_verb(people, stored):
    name = stored(promotion())["metadata"]["name"]
    approval = {"user": "sam", "decision": "Approve", "imageDigest": DIGEST}
    refusal = people.change(SERVING, "promotion", name, {"spec": {"approvals": [approval]}})
    assert "you need the verb approve on servingtarget fmnist" in refusal


def test_an_approver_cannot_abort(people, stored):
    name = stored(promotion())["metadata"]["name"]
    refusal = people.change(APPROVER, "promotion", name, {"spec": {"abort": True}})
    assert "abort needs the verb promote" in refusal
    assert people.change(SERVING, "promotion", name, {"spec": {"abort": True}}) == ""


@pytest.mark.parametrize("kind", ["CompressionJob", "Promotion", "ServingTarget"])
def test_status_is_the_operators_alone_even_against_an_administrator(people, stored, kind):
    manifest = {"CompressionJob": minimal_job, "Promotion": promotion, "ServingTarget": serving_target}[
        kind
    ]()
    name = stored(manifest)["metadata"]["name"]
    patch = {"status": {"observedGeneration": 1}}
    administrator = ("--as=alice", "--as-group=system:masters")
    refusal = people.change(administrator, kind, name, patch, subresource="status")
    assert f"only the operator writes the status of a {kind}" in refusal
    arguments = ("patch", kind, name, "--subresource=status", "--type=merge", "-p", json.dumps(patch))
    assert "patched" in people.operator(*arguments)


def test_garbage_collection_and_finalizers_of_evidence_get_through(people, stored):
    name = stored(model_version())["metadata"]["name"]
    editor = ("--as=eve", "--as-group=system:masters")
    assert people.change(editor, "mv", name, {"metadata": {"finalizers": ["example.com/hold"]}}) == ""
    assert people.change(editor, "mv", name, {"metadata": {"finalizers": []}}) == ""


def test_everything_a_job_can_say_is_allowed_to_its_author_once_the_secrets_are(people):
    manifest = changed(full_job(), {"spec.packaging.pushSecretRef": REMOVE})
    assert people.refusal(manifest, user=AUTHOR) == ""
