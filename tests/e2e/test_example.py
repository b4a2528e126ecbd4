"""The example as a user runs it: one manifest in, a promoted INT8 model out."""

from __future__ import annotations

import pytest

from demo import example, prediction

pytestmark = pytest.mark.cluster


def test_the_job_completes_with_every_gate_passed(finished):
    assert example.condition(finished, "Complete"), finished["status"].get("conditions")
    gates = {gate["name"]: gate["verdict"] for gate in finished["status"]["gates"] if not gate.get("dryRun")}
    assert set(gates.values()) == {"Pass"}
    assert {"accuracy", "drop", "size", "vulnerabilities"} <= set(gates)


def test_int8_is_within_a_point_of_fp32_on_all_test_images_and_much_smaller(finished):
    selected = finished["status"]["selected"]["step"]
    candidate = next(c for c in finished["status"]["candidates"] if c["step"] == selected)
    result = candidate["results"][0]
    int8, fp32 = float(result["metrics"][0]["value"]), float(result["baseline"]["metrics"][0]["value"])
    assert result["samples"] == 10_000
    assert abs(fp32 - int8) <= 0.01
    assert result["baseline"]["bytes"] / result["bytes"] >= 3.3


def test_what_was_gated_is_what_is_served(platform, finished):
    live = prediction.against_golden(platform.kube, example.NAMESPACE, example.MODEL, example.MODEL)
    version = platform.kube.get("modelversion", finished["status"]["modelVersionRef"]["name"])
    artifact = version["spec"]["artifact"]
    assert (
        live.artifact_digest == finished["status"]["selected"]["manifestDigest"] == artifact["manifestDigest"]
    )
    assert live.golden_digest == artifact["goldenDigest"]
    assert live.agreement == 1.0
    assert live.largest_difference <= 1e-5


def test_the_deployment_runs_the_scanned_digest_and_nothing_is_left_of_the_preview(platform, finished):
    image = finished["status"]["image"]
    deployment = platform.kube.get("deployment", example.MODEL)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"{image['repository']}@{image['manifestDigest']}"
    assert finished["status"]["scan"]["counts"]["critical"] == 0
    previews = platform.kube.get("deployments", **{"compression.modelops.dev/role": "preview"})
    assert previews == []


def test_applying_it_again_changes_nothing(platform, finished):
    def picture():
        versions = [v["metadata"]["name"] for v in platform.kube.get("modelversions")]
        pods = sorted(p["metadata"]["uid"] for p in platform.kube.get("pods", app=example.MODEL))
        job = platform.kube.get("compressionjob", example.NAME)
        return versions, pods, job["metadata"]["resourceVersion"]

    before = picture()
    platform.kube.apply(example.manifest("fashion-mnist.yaml"))
    example.apply_serving(platform)
    example.apply_jobs(platform, print)
    assert picture() == before
