"""The neighbours' manifests: strict pods, on our own node and behind Services of another cluster."""

import json
from pathlib import Path

import pytest
import yaml

from cluster.errors import ClusterError
from cluster.neighbours import accounts, registry, secrets
from cluster.neighbours.site import NAMESPACE, Site, render

NAMES = ("registry", "seaweedfs", "trivy")
OPEN = {"CHECKSUM": "c", "DATABASE": "host/trivy-db", "DATABASE_DIGEST": "d", "IMAGE": "host/image@sha256:0"}


@pytest.fixture
def node(tmp_path) -> Site:
    """The node of a cluster of our own, whose data folders may be made without being root."""
    return Site(lambda *_, **__: "", tmp_path, tmp_path / "pki", "192.0.2.1")


@pytest.fixture
def elsewhere(tmp_path) -> Site:
    return Site(lambda *_, **__: "", tmp_path, tmp_path / "pki")


def deployment(site: Site, name: str, monkeypatch) -> dict:
    monkeypatch.setattr("os.chown", lambda *_: None)
    documents = list(yaml.safe_load_all(render(name, {**site.values(name), **OPEN})))
    [found] = [document for document in documents if document["kind"] == "Deployment"]
    return found["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", NAMES)
def test_pods_are_as_strict_as_the_restricted_standard_but_for_the_network(node, name, monkeypatch):
    pod = deployment(node, name, monkeypatch)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", NAMES)
def test_on_another_cluster_nothing_of_the_node_is_used(elsewhere, name, monkeypatch):
    pod = deployment(elsewhere, name, monkeypatch)
    assert pod["hostNetwork"] is False
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


@pytest.mark.parametrize("name", NAMES)
def test_on_our_own_node_each_listens_on_its_address(node, name, monkeypatch):
    pod = deployment(node, name, monkeypatch)
    assert pod["hostNetwork"] is True
    assert "192.0.2.1" in render(name, {**node.values(name), **OPEN})


def test_of_the_object_store_only_s3_leaves_the_loopback(elsewhere, monkeypatch):
    arguments = deployment(elsewhere, "seaweedfs", monkeypatch)["containers"][0]["args"]
    assert "-ip.bind=127.0.0.1" in arguments
    assert [argument for argument in arguments if "0.0.0.0" in argument] == ["-s3.ip.bind=0.0.0.0"]


def test_a_missing_value_is_an_error_and_no_empty_word(node):
    with pytest.raises(KeyError):
        render("trivy", {})


def test_the_word_of_a_pod_changes_with_its_secrets_and_not_otherwise(elsewhere, tmp_path):
    def word(tenants: list[str]) -> str:
        known = accounts.ensure(tmp_path / "accounts.json", tenants)
        return secrets.checksum(secrets.own(elsewhere, known, "{}", elsewhere.ca_bundle)["seaweedfs"])

    first = word(["team-a"])
    assert word(["team-a"]) == first
    assert word(["team-a", "team-b"]) != first


def test_a_tenant_gets_its_namespace_and_the_secrets_that_a_runtime_names(tmp_path):
    known = accounts.ensure(tmp_path / "accounts.json", ["team-a"])
    objects = secrets.tenant("team-a", known.tenants["team-a"], {secrets.PUSH: "{}", secrets.PULL: "{}"})
    found = {item["metadata"]["name"]: set(item.get("stringData", {})) for item in objects}
    assert found == {
        "team-a": set(),
        secrets.STORAGE: {"accessKeyId", "secretAccessKey"},
        secrets.PUSH: {".dockerconfigjson"},
        secrets.PULL: {".dockerconfigjson"},
    }
    assert {item["metadata"].get("namespace") for item in objects} == {None, "team-a"}


def docker_config(folder: Path, auths: dict) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({"auths": auths}))
    return path


def test_of_a_given_registry_only_its_own_account_goes_into_the_cluster(tmp_path):
    config = docker_config(
        tmp_path,
        {
            "registry.example": {"username": "ci", "password": "p"},
            "bank.example": {"username": "boss", "password": "q"},
        },
    )
    place = registry.given("registry.example/platform", config)
    assert json.loads(place.pull_config) == {
        "auths": {"registry.example": {"username": "ci", "password": "p"}}
    }
    assert place.target.prefix == "registry.example/platform"


def test_a_given_registry_without_an_account_says_what_to_do(tmp_path):
    with pytest.raises(ClusterError, match=r"docker login registry\.example"):
        registry.given("registry.example/platform", docker_config(tmp_path, {}))


def test_the_namespace_and_what_pulls_come_before_any_pod(elsewhere, tmp_path):
    known = accounts.ensure(tmp_path / "accounts.json", [])
    first = secrets.own(elsewhere, known, "{}", elsewhere.ca_bundle)[NAMESPACE]
    assert [item["metadata"]["name"] for item in first] == [NAMESPACE, secrets.PULL]
