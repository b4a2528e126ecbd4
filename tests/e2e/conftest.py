"""One platform and one finished example for all end-to-end tests: what is slow is done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from rich.console import Console

from demo import example
from demo import platform as platforms
from demo.platform import Platform

Job = Mapping[str, Any]
Run = Callable[..., Job]


@pytest.fixture(scope="session")
def platform() -> Platform:
    """The one-node cluster with neighbours, operator and tenants."""
    return platforms.ready(Console())


@pytest.fixture(scope="session")
def finished(platform: Platform) -> Job:
    """The example's CompressionJob after its end, as `make demo` leaves it."""
    example.apply_serving(platform)
    example.apply_jobs(platform, print)
    platform.kube.apply(example.manifest("fashion-mnist.yaml"))
    job = example.until_ended(platform.kube, example.NAME)
    for promotion in job["status"].get("promotions", ()):
        example.until_promoted(platform.kube, promotion["name"])
    return platform.kube.get("compressionjob", example.NAME)


@pytest.fixture(scope="session")
def student(finished: Job) -> dict[str, str]:
    """The float student that the example trained, by digest: other tests quantise it without training."""
    step = next(step for step in finished["status"]["steps"] if step["type"] == "Distill")
    artifact = step["artifact"]
    return {"uri": artifact["uri"], "digest": artifact["manifestDigest"], "format": "PaddleParams"}


@pytest.fixture
def run(platform: Platform, student: dict[str, str]) -> Run:
    """Apply a job that quantises the shared student, changed as the test says, and wait for its end."""

    def start(name: str, wait: bool = True, **spec: Any) -> Job:
        platform.kube.run("delete", "compressionjob", name, "-n", example.NAMESPACE, "--ignore-not-found")
        platform.kube.apply(yaml.safe_dump(quantise(name, student, **spec)))
        return example.until_ended(platform.kube, name, seconds=400) if wait else {}

    return start


def quantise(name: str, student: dict[str, str], **spec: Any) -> dict[str, Any]:
    """A job without training: PTQ of a stored student, few batches, no promotion."""
    return {
        "apiVersion": "compression.modelops.dev/v1alpha1",
        "kind": "CompressionJob",
        "metadata": {"name": name, "namespace": example.NAMESPACE},
        "spec": {
            "model": {"name": name},
            "task": "ImageClassification",
            "student": student,
            "dataset": {"uri": "s3://team-a/datasets/fashion-mnist"},
            "pipeline": {"steps": [{"name": "ptq", "type": "PTQ", "ptq": {"calibration": {"batches": 4}}}]},
            "evaluation": {"latency": {"iterations": 50, "repeats": 2}},
            "gates": [{"name": "accuracy", "type": "Metric", "metric": {"name": "top1", "min": 0.5}}],
            **spec,
        },
    }


def reasons(job: Job) -> dict[str, str]:
    """Condition types with `status/reason`."""
    return {c["type"]: f"{c['status']}/{c['reason']}" for c in job["status"]["conditions"]}
