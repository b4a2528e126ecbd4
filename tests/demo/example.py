"""The Fashion-MNIST example: data and teacher once, then the manifests a person would apply.

Owns the filling-in of what an example leaves open (images by digest) and waiting for its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml

from demo.kube import Kube, KubeError
from demo.platform import Platform

EXAMPLES = Path(__file__).resolve().parents[2] / "crds" / "examples"
NAME, NAMESPACE, MODEL = "fashion-mnist-1-0-0", "team-a", "fashion-mnist"
ENDED = ("Complete", "Failed")


def manifest(name: str, images: Mapping[str, str] | None = None) -> str:
    """An example as it is applied: `${RUNNER_IMAGE}` and its like are images by digest."""
    text = (EXAMPLES / name).read_text()
    values = {f"{key.upper().replace('-', '_')}_IMAGE": value for key, value in (images or {}).items()}
    return Template(text).safe_substitute(values)


def apply_serving(platform: Platform) -> None:
    """The serving team's part; a Deployment that has been promoted already keeps its image."""
    documents = list(yaml.safe_load_all(manifest("fashion-mnist-serving.yaml", platform.neighbours.images)))
    for document in documents:
        if document["kind"] == "Deployment":
            live = platform.kube.get(
                "deployment", document["metadata"]["name"], document["metadata"]["namespace"]
            )
            if live:
                container = document["spec"]["template"]["spec"]["containers"][0]
                container["image"] = live["spec"]["template"]["spec"]["containers"][0]["image"]
    platform.kube.apply(yaml.safe_dump_all(documents))


def apply_jobs(platform: Platform, console: Callable[[str], None]) -> None:
    """Prepare the data and train the teacher, each once, and wait for both."""
    platform.kube.apply(manifest("fashion-mnist-data.yaml", platform.neighbours.images))
    for job in yaml.safe_load_all(manifest("fashion-mnist-data.yaml", platform.neighbours.images)):
        if job["kind"] != "Job":
            continue
        name = job["metadata"]["name"]
        console(f"waiting for Job {name}")
        platform.kube.until(f"Job {name}", lambda name=name: _ended_job(platform.kube, name), seconds=1200)


def _ended_job(kube: Kube, name: str) -> bool:
    job = kube.get("job", name, NAMESPACE)
    conditions = {c["type"]: c for c in (job or {}).get("status", {}).get("conditions", ())}
    if conditions.get("Failed", {}).get("status") == "True":
        said = kube.run("logs", f"--namespace={NAMESPACE}", f"job/{name}", "--tail=20")
        raise KubeError(f"Job {name} failed: {conditions['Failed'].get('message', '')}\n{said}")
    return conditions.get("Complete", {}).get("status") == "True"


def until_ended(
    kube: Kube,
    name: str,
    namespace: str = NAMESPACE,
    seconds: float = 900,
    seen: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Mapping[str, Any]:
    """A CompressionJob once it has ended, well or not.

    Raises:
        KubeError: it had not ended by then; says where it stood.
    """
    deadline = time.monotonic() + seconds
    while True:
        job = kube.get("compressionjob", name, namespace)
        if job is None:
            raise KubeError(f"there is no CompressionJob {namespace}/{name}")
        seen(job)
        if condition(job, *ENDED):
            return job
        if time.monotonic() > deadline:
            stage = job.get("status", {}).get("stage", "not yet seen")
            raise KubeError(f"CompressionJob {name} had not ended after {seconds:.0f} s; it was {stage}")
        time.sleep(0.5)


def until_promoted(
    kube: Kube, name: str, namespace: str = NAMESPACE, seconds: float = 600
) -> Mapping[str, Any]:
    """A Promotion once it has ended, well or not."""

    def ended() -> Mapping[str, Any] | None:
        found = kube.get("promotion", name, namespace)
        done = found and found.get("status", {}).get("completionTime")
        return found if done else None

    return kube.until(f"Promotion {name}", ended, seconds)


def condition(job: Mapping[str, Any], *kinds: str) -> Mapping[str, Any] | None:
    """The first of these conditions that is True."""
    conditions = job.get("status", {}).get("conditions", ())
    return next((c for c in conditions if c["type"] in kinds and c["status"] == "True"), None)
