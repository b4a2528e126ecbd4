"""What the operator's own account may do, so that a stolen token is worth little."""

from __future__ import annotations

import json

import pytest

from api.subjects import (
    AS_OPERATOR,
    CONTAINER,
    PODSPEC,
    PREVIEW,
    RANKS_SERVICE,
    ROLE,
    STAGE_JOB,
    TRAINING,
)
from cluster.errors import ClusterError
from compression_contract.keys import GROUP
from support.chart import image
from support.manifests import (
    DIGEST,
    changed,
)

UNPINNED, UNRESTRICTED = "images must be pinned", "containers must be restricted"
ONLY_STAGES, ONLY_OURS = "run compression_jobs and nothing else", "volumes are scratch space"
PRIVILEGE = {"drop": ["ALL"], "add": ["SYS_ADMIN"]}
SECRET_VALUE = {"name": "X", "valueFrom": {"secretKeyRef": {"name": "database-password", "key": "x"}}}
OTHER_PROGRAM = {"name": "i", "image": image("tools"), "command": ["id"]}
HOOK = {"preStop": {"exec": {"command": ["id"]}}}


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("metadata.name", "another", ""),
        ("metadata.labels", {ROLE: "canary"}, "a Job of the operator says its role"),
        (f"{CONTAINER}.image", "registry.example.com/platform/evaluator:1", UNPINNED),
        (f"{CONTAINER}.image", f"evil.example.com/x@{DIGEST}", UNPINNED),
        (f"{CONTAINER}.command", ["sh", "-c", "id"], ONLY_STAGES),
        (f"{CONTAINER}.lifecycle", HOOK, ONLY_STAGES),
        (f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False, UNRESTRICTED),
        (f"{CONTAINER}.securityContext.capabilities", PRIVILEGE, UNRESTRICTED),
        (f"{CONTAINER}.securityContext.runAsUser", 0, UNRESTRICTED),
        (f"{CONTAINER}.env", [SECRET_VALUE], "environment variables are literals"),
        (
            f"{PODSPEC}.initContainers",
            [{"name": "i", "image": image("tools"), "command": ["id"]}],
            ONLY_STAGES,
        ),
        (f"{PODSPEC}.hostNetwork", True, "the pod must be restricted"),
        (f"{PODSPEC}.securityContext.runAsUser", 0, "the pod must be restricted"),
        (f"{PODSPEC}.automountServiceAccountToken", True, "the pod must be restricted"),
        (f"{PODSPEC}.serviceAccountName", "default", "this service account is not among"),
        (f"{PODSPEC}.volumes.2", {"name": "h", "hostPath": {"path": "/"}}, ONLY_OURS),
        (f"{PODSPEC}.volumes.2", {"name": "x", "secret": {"secretName": "database-password"}}, ONLY_OURS),
        (f"{PODSPEC}.volumes.2", {"name": "c", "configMap": {"name": "settings"}}, ONLY_OURS),
    ],
)
def test_the_operators_own_token_starts_nothing_but_its_stages(people, path, value, sentence):
    refusal = people.refusal(changed(STAGE_JOB, {path: value}), user=AS_OPERATOR)
    assert sentence in refusal if sentence else refusal == ""


BEFORE = f"{PODSPEC}.initContainers"
COURIERS = "containers before a stage are fetch and store alone"
TOGETHER = "only trainings run in several pods"
CREDENTIALS = [{"name": "s3", "mountPath": "/s3"}]


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("metadata.name", "another", ""),
        ("metadata.labels", {ROLE: "evaluate"}, COURIERS),
        (f"{CONTAINER}.volumeMounts", CREDENTIALS, "the stage between them sees no Secret"),
        (f"{BEFORE}.0.command.3", "distill", COURIERS),
        (f"{BEFORE}.0.name", "other", COURIERS),
        (f"{BEFORE}.0.restartPolicy", "Always", COURIERS),
        (f"{BEFORE}.1.command.3", "ptq", COURIERS),
        (f"{BEFORE}.0.securityContext.readOnlyRootFilesystem", False, UNRESTRICTED),
        (f"{BEFORE}.1.image", f"evil.example.com/x@{DIGEST}", UNPINNED),
        ("spec", {**TRAINING["spec"], "parallelism": 2, "completions": 2}, TOGETHER),
        (
            "spec",
            {**TRAINING["spec"], "parallelism": 2, "completions": 2, "completionMode": "Indexed"},
            "",
        ),
        (
            "spec",
            {**TRAINING["spec"], "parallelism": 9, "completions": 9, "completionMode": "Indexed"},
            "at most eight of them",
        ),
    ],
)
def test_an_authors_code_runs_between_two_containers_and_sees_no_secret(people, path, value, sentence):
    refusal = people.refusal(changed(TRAINING, {path: value}), user=AS_OPERATOR)
    assert sentence in refusal if sentence else refusal == ""


def test_only_trainings_run_in_several_pods(people):
    several = {**STAGE_JOB["spec"], "parallelism": 2, "completions": 2, "completionMode": "Indexed"}
    assert TOGETHER in people.refusal(changed(STAGE_JOB, {"spec": several}), user=AS_OPERATOR)


HEADLESS = "a Service of the operator is headless and selects the pods of one training"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("metadata.name", "ranks-other-3fa9c2", ""),
        ("metadata.name", "fmnist", HEADLESS),
        ("spec.clusterIP", "", HEADLESS),
        ("spec.externalIPs", ["192.0.2.1"], HEADLESS),
        ("spec.selector", {"app": "fmnist"}, HEADLESS),
        ("spec.selector", {**RANKS_SERVICE["spec"]["selector"], "app": "fmnist"}, HEADLESS),
        ("metadata.ownerReferences.0.uid", "another", "belongs to the CompressionJob whose pods it selects"),
        ("metadata.ownerReferences", [], "belongs to the CompressionJob whose pods it selects"),
    ],
)
def test_a_service_of_the_operator_leads_nobodys_traffic(people, path, value, sentence):
    refusal = people.refusal(changed(RANKS_SERVICE, {path: value}), user=AS_OPERATOR)
    assert sentence in refusal if sentence else refusal == ""


@pytest.mark.parametrize(
    ("verb", "what", "answer"),
    [
        ("get", "pods/log", "yes"),
        ("create", "services", "yes"),
        ("get", "services", "yes"),
        ("delete", "services", "no"),
        ("patch", "services", "no"),
        ("create", "pods/exec", "no"),
        ("get", "secrets", "no"),
    ],
)
def test_what_the_operator_may_do_in_a_tenant(people, verb, what, answer):
    resource, _, subresource = what.partition("/")
    arguments = ["auth", "can-i", verb, resource, *([f"--subresource={subresource}"] if subresource else [])]
    try:
        said = people.operator(*arguments)
    except ClusterError as error:
        said = str(error)
    assert answer in said.split()


def test_the_operator_has_no_rights_outside_tenants(people):
    manifest = changed(STAGE_JOB, {"metadata.namespace": "default"})
    arguments = ("create", "--dry-run=server", "-f", "-")
    with pytest.raises(ClusterError, match="cannot create resource"):
        people.cluster.kubectl("--namespace=default", *AS_OPERATOR, *arguments, stdin=json.dumps(manifest))


ONE_POD = "a preview is one pod of a pinned image, without the host's namespaces, paths or privileges"


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("metadata.name", "another", ""),
        ("metadata.labels", {}, "may make and delete only Deployments labelled"),
        ("spec.replicas", 2, ONE_POD),
        (f"{PODSPEC}.hostNetwork", True, ONE_POD),
        (f"{PODSPEC}.volumes", [{"name": "h", "hostPath": {"path": "/"}}], ONE_POD),
        (f"{PODSPEC}.containers.1.securityContext", {"privileged": True}, ONE_POD),
        (f"{CONTAINER}.image", "registry.example.com/team-a/fmnist:2", ONE_POD),
    ],
)
def test_a_preview_is_all_that_the_operator_deploys(people, path, value, sentence):
    refusal = people.refusal(changed(PREVIEW, {path: value}), user=AS_OPERATOR)
    assert sentence in refusal if sentence else refusal == ""


def container(**fields):
    """A patch of the serving container."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "server"} | fields]}}}}


@pytest.mark.parametrize(
    ("patch", "sentence"),
    [
        (container(image=image("fmnist")), ""),
        ({"metadata": {"annotations": {f"{GROUP}/model-version": "x"}}}, ""),
        (container(image="registry.example.com/team-a/fmnist:2"), "to one given by digest"),
        (container(command=["sh"]), "changes the image only"),
        (container(env=[{"name": "A", "value": "b"}]), "changes the image only"),
        (container(lifecycle={"preStop": {"exec": {"command": ["id"]}}}), "changes the image only"),
        (container(livenessProbe={"exec": {"command": ["id"]}}), "changes the image only"),
        ({"spec": {"replicas": 5}}, "nothing else of the spec"),
        ({"spec": {"template": {"spec": {"hostNetwork": True}}}}, "nothing else of the pod"),
        ({"spec": {"template": {"spec": {"serviceAccountName": "x"}}}}, "nothing else of the pod"),
        ({"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}, "nothing else of the pod template"),
        (
            {"spec": {"template": {"spec": {"initContainers": [{"name": "i", "image": image("x")}]}}}},
            "nothing else of the pod",
        ),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": "new", "image": image("x")}]}}}},
            "changes the image only",
        ),
        ({"metadata": {"labels": {ROLE: "preview"}}}, f"may not put {ROLE} on a Deployment"),
    ],
)
def test_on_others_deployments_the_operator_changes_the_image_only(people, patch, sentence):
    arguments = (
        "patch",
        "deployment",
        "fmnist",
        "--dry-run=server",
        "--type=strategic",
        "-p",
        json.dumps(patch),
    )
    if not sentence:
        assert "patched" in people.operator(*arguments)
        return
    with pytest.raises(ClusterError) as refusal:
        people.operator(*arguments)
    assert sentence in str(refusal.value)


def test_the_operator_cannot_delete_a_deployment_that_is_not_a_preview(people):
    with pytest.raises(ClusterError, match="may make and delete only Deployments labelled"):
        people.operator("delete", "deployment", "fmnist", "--dry-run=server")
