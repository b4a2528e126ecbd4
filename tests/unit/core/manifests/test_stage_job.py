"""The Job of a stage is a restricted pod, whoever owns it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compression_contract.base import digest_of
from compression_contract.inputs import RunRef, ScanInput, StageInput
from compression_operator.core.manifests.pod import Couriers, PodSettings
from compression_operator.core.manifests.ranks_service import ranks_service
from compression_operator.core.manifests.stage_job import Owner, Ranks, StageJob, stage_job

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


COURIERS = Couriers("registry.example.com/couriers@sha256:" + "cd" * 32, {"limits": {"memory": "512Mi"}})
SPLIT = replace(
    JOB,
    pod=replace(JOB.pod, couriers=COURIERS, storage_secret="compression-s3-a", environment={"MINE": "x"}),
)


def containers(job):
    pod = stage_job(job)["spec"]["template"]["spec"]
    return {item["name"]: item for item in [*pod.get("initContainers", []), *pod["containers"]]}


def mounts(container):
    return {item["name"]: item for item in container["volumeMounts"]}


def test_an_authors_code_sees_no_credential_and_cannot_change_what_it_was_given():
    found = containers(SPLIT)
    assert list(found) == ["fetch", "store", "stage"]
    stage = mounts(found["stage"])
    assert stage.keys() == {"input", "scratch", "inputs", "outputs"}
    assert stage["inputs"]["readOnly"] is True
    assert mounts(found["fetch"]).keys() == {"input", "transfer", "storage-credentials", "inputs", "outputs"}


def test_what_stores_the_result_ends_last_and_only_reads_what_it_stores():
    found = containers(SPLIT)
    assert found["store"]["restartPolicy"] == "Always"
    assert "restartPolicy" not in found["fetch"]
    store = mounts(found["store"])
    assert store["outputs"]["readOnly"] is True
    assert "inputs" not in store
    pod = stage_job(SPLIT)["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 180


def test_couriers_are_as_restricted_as_the_stage_and_share_no_folder_with_it():
    found = containers(SPLIT)
    for name in ("fetch", "store"):
        assert found[name]["image"] == COURIERS.image
        assert found[name]["command"] == ["python3", "-m", "compression_jobs", name]
        assert found[name]["securityContext"] == found["stage"]["securityContext"]
        assert found[name]["resources"] == {"limits": {"memory": "512Mi"}}
        assert "MINE" not in {item["name"] for item in found[name]["env"]}
        assert "scratch" not in mounts(found[name])
    for container in found.values():
        assert {"name": "COMPRESSION_EXCHANGE", "value": "/exchange"} in container["env"]


def test_every_folder_that_may_be_written_has_a_limit():
    volumes = stage_job(SPLIT)["spec"]["template"]["spec"]["volumes"]
    folders = [item for item in volumes if "emptyDir" in item]
    assert {item["name"] for item in folders} == {"scratch", "transfer", "inputs", "outputs"}
    assert all(item["emptyDir"]["sizeLimit"] for item in folders)


def test_pods_that_train_together_are_numbered_and_find_the_first():
    hostile = replace(JOB.pod, environment={"COMPRESSION_MASTER": "evil.example.com:1"})
    spec = stage_job(replace(JOB, ranks=Ranks(3, "ranks-t-uid"), pod=hostile))["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert spec["backoffLimit"] == 0
    pod = spec["template"]["spec"]
    assert pod["subdomain"] == "ranks-t-uid"
    environment = {item["name"]: item["value"] for item in pod["containers"][0]["env"]}
    assert environment["COMPRESSION_MASTER"] == "j-0.ranks-t-uid:29500"
    assert environment["COMPRESSION_REPLICAS"] == "3"


def test_one_pod_is_no_indexed_job():
    spec = stage_job(JOB)["spec"]
    assert not {"completionMode", "completions", "parallelism"} & spec.keys()
    assert "subdomain" not in spec["template"]["spec"]


def test_the_service_of_ranks_answers_before_they_are_ready_and_belongs_to_the_run():
    body = ranks_service(Owner("v1", "Thing", "4-job", "3FA9C2D1-0000"), "team-a")
    assert body["metadata"]["name"] == "ranks-4-job-3fa9c2"
    assert body["metadata"]["ownerReferences"][0]["uid"] == "3FA9C2D1-0000"
    assert body["spec"]["clusterIP"] == "None"
    assert body["spec"]["publishNotReadyAddresses"] is True
    assert body["spec"]["selector"]["compression.modelops.dev/job-uid"] == "3FA9C2D1-0000"
