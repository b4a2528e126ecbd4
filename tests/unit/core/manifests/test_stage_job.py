"""The Job of a stage is a restricted pod, whoever owns it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compression_contract.base import digest_of
from compression_contract.inputs import RunRef, ScanInput, StageInput
from compression_operator.core.manifests.stage_job import Owner, PodSettings, StageJob, stage_job

IMAGE = "registry.example.com/tools@sha256:" + "ab" * 32
JOB = StageJob(
    namespace="team-a",
    name="j",
    owner=Owner("v1", "Thing", "t", "uid"),
    role="scan",
    image=IMAGE,
    stage_input=StageInput(
        run=RunRef(namespace="team-a", name="t", uid="uid"),
        input_hash=digest_of(b"input"),
        parameters=ScanInput(image=IMAGE, server="http://trivy:4954"),
    ),
    pod=PodSettings(resources={"limits": {"memory": "1Gi"}}),
)


def test_the_job_never_makes_a_second_pod_and_reports_a_drained_node():
    spec = stage_job(JOB)["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule == {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}


def test_the_pod_reads_its_input_from_its_own_annotation():
    body = stage_job(JOB)
    annotations = body["spec"]["template"]["metadata"]["annotations"]
    volume = body["spec"]["template"]["spec"]["volumes"][0]
    path = volume["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"]
    assert path == "metadata.annotations['compression.modelops.dev/input']"
    text = annotations["compression.modelops.dev/input"]
    assert StageInput.model_validate_json(text) == JOB.stage_input
    assert body["metadata"]["annotations"]["compression.modelops.dev/input-hash"] == digest_of(b"input")


def test_our_labels_cannot_be_overwritten_by_the_authors():
    hostile = replace(JOB.pod, labels={"compression.modelops.dev/role": "train", "mine": "x"})
    labels = stage_job(replace(JOB, pod=hostile))["spec"]["template"]["metadata"]["labels"]
    assert labels["compression.modelops.dev/role"] == "scan"
    assert labels["mine"] == "x"


def test_a_queue_is_named_on_the_job():
    labels = stage_job(replace(JOB, queue="gpu"))["metadata"]["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "gpu"
    assert "kueue.x-k8s.io/queue-name" not in stage_job(JOB)["metadata"]["labels"]


def test_secrets_are_readable_by_the_pods_group_alone():
    with_secrets = replace(
        JOB.pod, storage_secret="compression-s3-a", registry_secret="compression-registry-b"
    )
    pod = stage_job(replace(JOB, pod=with_secrets))["spec"]["template"]["spec"]
    secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert [(item["secretName"], item["defaultMode"]) for item in secrets] == [
        ("compression-s3-a", 0o440),
        ("compression-registry-b", 0o440),
    ]
    # A stage that starts can say which Secret lacks which key; a pod that waits for one says nothing.
    assert all(item["optional"] for item in secrets)
    mounts = {item["name"]: item for item in pod["containers"][0]["volumeMounts"]}
    assert mounts["storage-credentials"]["readOnly"] is True
    assert pod["securityContext"]["fsGroup"] == 65532


def test_an_input_too_large_for_an_annotation_is_refused():
    large = JOB.stage_input.model_copy(update={"ca_bundle": "x" * 200_000})
    with pytest.raises(ValueError, match="larger than"):
        stage_job(replace(JOB, stage_input=large))


def test_a_pod_without_limits_is_refused():
    with pytest.raises(ValueError, match="no resource limits"):
        stage_job(replace(JOB, pod=PodSettings(resources={"requests": {"cpu": "1"}})))
