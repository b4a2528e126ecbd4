"""Runs that must not release anything, and why they say so: gates, findings, mistakes, missing services."""

from __future__ import annotations

import json

import pytest
import yaml

from demo import example
from e2e.conftest import reasons

pytestmark = pytest.mark.cluster


def released(platform, model: str) -> list[str]:
    """ModelVersions of a model."""
    return [v["metadata"]["name"] for v in platform.kube.get("modelversions") if v["spec"]["model"] == model]


def test_ptq_that_misses_its_gate_falls_back_to_qat(platform, finished):
    del finished
    platform.kube.run(
        "delete", "compressionjob", "fashion-mnist-fallback", "-n", "team-a", "--ignore-not-found"
    )
    platform.kube.apply(example.manifest("fashion-mnist-fallback.yaml"))
    job = example.until_ended(platform.kube, "fashion-mnist-fallback", seconds=900)
    states = {step["name"]: step["state"] for step in job["status"]["steps"]}
    candidates = {c["step"]: c["state"] for c in job["status"]["candidates"]}
    assert candidates["ptq"] == "Rejected"
    assert candidates["qat"] == "Passed"
    assert states["qat"] == "Succeeded"
    assert job["status"]["selected"]["step"] == "qat"
    assert example.condition(job, "Complete")


def test_a_passing_ptq_leaves_qat_without_a_pod(platform, finished):
    states = {step["name"]: step["state"] for step in finished["status"]["steps"]}
    assert states["ptq"] == "Succeeded"
    assert states["qat"] == "Skipped"
    jobs = platform.kube.get("jobs", **{"compression.modelops.dev/job": example.NAME})
    assert not [j for j in jobs if j["metadata"]["labels"].get("compression.modelops.dev/step") == "qat"]


def test_a_run_leaves_a_page_about_itself(platform, finished):
    job = example.until_reported(platform.kube, finished["metadata"]["name"])
    report = job["status"]["report"]
    assert report["state"] == "Succeeded", report
    assert report["page"].endswith(".html")
    assert report["uri"].startswith("s3://team-a/")
    assert example.condition(job, "Complete")


def test_a_model_below_its_floor_is_not_pushed(platform, run):
    floor = {"name": "accuracy", "type": "Metric", "metric": {"name": "top1", "min": 0.999}}
    job = run("too-ambitious", gates=[floor])
    assert reasons(job)["Failed"] == "True/GateFailed"
    assert reasons(job)["GatesPassed"] == "False/MetricBelowMinimum"
    assert "image" not in job["status"]
    assert released(platform, "too-ambitious") == []
    roles = {
        j["metadata"]["labels"]["compression.modelops.dev/role"]
        for j in platform.kube.get("jobs", **{"compression.modelops.dev/job": "too-ambitious"})
    }
    assert not roles & {"package", "scan"}


def test_an_image_with_a_critical_finding_is_not_released(platform, run):
    job = run("vulnerable", packaging={"servingBase": "onnxruntime-vulnerable"})
    assert reasons(job)["GatesPassed"] == "False/Vulnerable"
    assert job["status"]["scan"]["counts"]["critical"] >= 1
    assert released(platform, "vulnerable") == []
    assert job["status"].get("promotions", []) == []


MISTAKES = {
    "a missing dataset": ({"dataset": {"uri": "s3://team-a/datasets/nowhere"}}, "DatasetNotFound", "nowhere"),
    "a wrong digest": (
        {"dataset": {"uri": "s3://team-a/datasets/fashion-mnist", "digest": "sha256:" + "0" * 64}},
        "DigestMismatch",
        "sha256:0000",
    ),
}


@pytest.mark.parametrize(("spec", "reason", "part"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_ends_the_run_at_once_with_its_own_reason(run, spec, reason, part):
    job = run("mistaken", **spec)
    failed = example.condition(job, "Failed")
    assert failed["reason"] == reason
    assert part in failed["message"]
    assert [s["name"] for s in job["status"]["stages"]] == ["resolve"]


def secret(name: str, **data: str) -> str:
    """A Secret of docker credentials."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "team-a"},
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": data,
        }
    )


def test_refused_registry_credentials_end_the_run_without_a_half_made_release(platform, run):
    wrong = json.dumps({"auths": {platform.neighbours.registry: {"username": "nobody", "password": "wrong"}}})
    platform.kube.apply(secret("compression-registry-denied", **{".dockerconfigjson": wrong}))
    job = run("denied", packaging={"pushSecretRef": {"name": "compression-registry-denied"}})
    # This registry knows accounts but no rights: it refuses the base already.
    assert reasons(job)["Failed"] == "True/PullDenied"
    assert "image" not in job["status"]
    assert released(platform, "denied") == []


@pytest.fixture
def no_scanner(platform):
    """The scanner is down for one test."""
    scale = ("scale", "deployment/trivy", "--namespace=neighbours")
    platform.kube.run(*scale, "--replicas=0")
    yield
    platform.kube.run(*scale, "--replicas=1")
    platform.kube.run("rollout", "status", "deployment/trivy", "--namespace=neighbours", "--timeout=120s")


def test_without_a_scanner_nothing_is_released_and_the_condition_says_so(platform, run, no_scanner):
    del no_scanner
    job = run("unscanned", runPolicy={"backoffLimit": 1, "retryDelay": {"base": "1s", "max": "2s"}})
    said = reasons(job)
    assert said["Failed"].startswith("True/")
    assert said["GatesPassed"] == "Unknown/ScannerUnavailable"
    assert released(platform, "unscanned") == []


def test_a_missing_secret_is_named(run):
    job = run("no-secret", storage={"secretRef": {"name": "compression-s3-absent"}})
    failed = example.condition(job, "Failed")
    assert "accessKeyId" in failed["message"]
