"""The neighbours as pods meet them: an object store, a registry and a scanner that are real and strict."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from cluster.neighbours.lifecycle import up
from demo.platform import Platform

OWN_BUCKET = """
import boto3, os, pathlib
read = lambda name: pathlib.Path("/storage", name).read_text()
pathlib.Path("/scratch/ca.pem").write_text(os.environ["CA"])
client = boto3.client(
    "s3", endpoint_url=os.environ["STORAGE"], region_name="us-east-1", verify="/scratch/ca.pem",
    aws_access_key_id=read("accessKeyId"), aws_secret_access_key=read("secretAccessKey"),
)
client.put_object(Bucket="team-a", Key="neighbours/probe", Body=b"content")
print(client.get_object(Bucket="team-a", Key="neighbours/probe")["Body"].read().decode())
try:
    client.list_objects_v2(Bucket="team-b")
except client.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
"""
SCAN = """
import json, os, pathlib, subprocess
pathlib.Path("/scratch/ca.pem").write_text(os.environ["CA"])
places = {"SSL_CERT_FILE": "/scratch/ca.pem", "DOCKER_CONFIG": "/registry", "TMPDIR": "/scratch"}
command = ["trivy", "image", "--server", os.environ["SCANNER"], "--cache-dir", "/scratch/trivy"]
command += ["--scanners", "vuln", "--format", "json", "--quiet", os.environ["IMAGE"]]
done = subprocess.run(command, env={**os.environ, **places}, check=True, stdout=subprocess.PIPE)
report = json.loads(done.stdout)
found = [v for result in report["Results"] for v in result.get("Vulnerabilities", ())]
print(json.dumps({v["VulnerabilityID"]: v["Severity"] for v in found}))
"""


def pod(platform: Platform, name: str, image: str, code: str, **environment: str) -> dict[str, Any]:
    """A pod as strict as the operator's, that runs Python with a tenant's Secrets."""
    neighbours = platform.neighbours
    tenant = neighbours.tenants["team-a"]
    variables = {"CA": neighbours.ca_bundle, "STORAGE": neighbours.storage, **environment}
    registry = {
        "secretName": tenant.push_secret,
        "items": [{"key": ".dockerconfigjson", "path": "config.json"}],
    }
    container = {
        "name": "probe",
        "image": neighbours.images[image],
        "command": ["python3", "-c", code],
        "env": [{"name": key, "value": value} for key, value in variables.items()],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": path, "mountPath": f"/{path}"} for path in ("scratch", "storage", "registry")
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "team-a"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "imagePullSecrets": [{"name": tenant.pull_secret}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [
                {"name": "scratch", "emptyDir": {}},
                {"name": "storage", "secret": {"secretName": tenant.storage_secret}},
                {"name": "registry", "secret": registry},
            ],
        },
    }


@contextmanager
def running(platform: Platform, manifest: dict[str, Any]) -> Iterator[str]:
    """What a pod printed before it ended; the pod is removed at the end."""
    kube, name = platform.kube, manifest["metadata"]["name"]
    remove = ("delete", "pod", name, "--namespace=team-a", "--ignore-not-found")
    kube.run(*remove)
    kube.apply(json.dumps(manifest))
    try:
        kube.until(f"{name} ended", lambda: phase(platform, name) in {"Succeeded", "Failed"}, seconds=180)
        yield kube.run("logs", name, "--namespace=team-a")
    finally:
        kube.run(*remove, "--wait=false")


def phase(platform: Platform, name: str) -> str:
    return str(platform.kube.get("pod", name)["status"]["phase"])


@pytest.mark.cluster
def test_a_tenant_reaches_its_own_bucket_and_no_other(platform):
    with running(platform, pod(platform, "probe-storage", "evaluator", OWN_BUCKET)) as said:
        assert said.split() == ["content", "AccessDenied"]


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("image", "grave"), [("serving", {}), ("serving-vulnerable", {"CVE-0000-0001": "CRITICAL"})]
)
def test_the_scanner_finds_the_test_entry_in_its_image_alone(platform, image, grave):
    where = {"SCANNER": f"http://{platform.neighbours.scanner}", "IMAGE": platform.neighbours.images[image]}
    with running(platform, pod(platform, f"probe-{image}", "tools", SCAN, **where)) as said:
        found = json.loads(said.splitlines()[-1])
    assert {name: severity for name, severity in found.items() if severity in {"CRITICAL", "HIGH"}} == grave


@pytest.mark.cluster
def test_the_registry_wants_a_password_and_trusts_nobody_without_it(platform, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_text(platform.neighbours.ca_bundle)
    address = f"https://{platform.neighbours.registry}/v2/"
    pull = platform.neighbours.accounts.pull
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(authority)
        assert session.get(address, timeout=10).status_code == 401
        assert session.get(address, auth=(pull.name, "wrong"), timeout=10).status_code == 401
        assert session.get(address, auth=(pull.name, pull.password), timeout=10).status_code == 200


@pytest.mark.cluster
def test_a_second_arrival_changes_no_pod(platform):
    before = pods(platform)
    again = up(platform.node, tuple(platform.neighbours.tenants))
    assert pods(platform) == before
    assert again.images == platform.neighbours.images


@pytest.mark.cluster
def test_no_password_of_one_tenant_is_in_another_tenants_secrets(platform):
    secrets = {name: values(platform, name) for name in ("team-a", "team-b")}
    assert secrets["team-a"]
    assert not secrets["team-a"] & secrets["team-b"]


def pods(platform: Platform) -> dict[str, str]:
    return {
        item["metadata"]["name"]: item["metadata"]["uid"]
        for item in platform.kube.get("pods", namespace="neighbours")
    }


def values(platform: Platform, namespace: str) -> set[str]:
    """The decoded values of a tenant's Secret for the object store."""
    name = platform.neighbours.tenants[namespace].storage_secret
    data = platform.kube.get("secret", name, namespace=namespace)["data"]
    return {base64.b64decode(value).decode() for value in data.values()}
