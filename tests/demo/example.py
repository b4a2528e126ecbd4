"""The Fashion-MNIST example: data and teacher once, then the manifests a person would apply.

Owns the filling-in of what an example leaves open (images by digest) and waiting for its end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from string import Template
from typing import Any

import yaml

from compression_contract.base import digest_of_json
from compression_contract.keys import ANNOTATION_INPUT
from demo import keep
from demo.kube import Kube, KubeError
from demo.platform import Platform

EXAMPLES = Path(__file__).resolve().parents[2] / "crds" / "examples"
NAME, NAMESPACE, MODEL = "fashion-mnist-1-0-0", "team-a", "fashion-mnist"
ENDED = ("Complete", "Failed")
HASHED = ("DATA", "TEACHER")
"""What a Job's own hash is called in an example."""


def manifest(name: str, **values: str) -> str:
    """An example as it is applied, with `${…}` filled in."""
    return Template((EXAMPLES / name).read_text()).safe_substitute(values)


def apply_serving(platform: Platform) -> None:
    """The serving team's part; a Deployment that has been promoted already keeps its image."""
    image = platform.neighbours.images["serving"]
    documents = list(yaml.safe_load_all(manifest("fashion-mnist-serving.yaml", SERVING_IMAGE=image)))
    for document in documents:
        if document["kind"] == "Deployment":
            live = platform.kube.get(
                "deployment", document["metadata"]["name"], document["metadata"]["namespace"]
            )
            if live:
                container = document["spec"]["template"]["spec"]["containers"][0]
                container["image"] = live["spec"]["template"]["spec"]["containers"][0]["image"]
    platform.kube.apply(yaml.safe_dump_all(documents))


def apply_jobs(platform: Platform, say: Callable[[str], None], name: str = "fashion-mnist-data.yaml") -> None:
    """Prepare the data, then train the teachers on it; each only if it has not been done.

    Args:
        platform: where.
        say: told of each Job.
        name: an example of Jobs; the first makes the dataset, whose digest the others are given.
    """
    values = {
        "STORAGE": platform.neighbours.storage,
        "CA_BUNDLE": json.dumps(platform.neighbours.ca_bundle)[1:-1],
        "DATA_IMAGE": platform.neighbours.images["data"],
        "RUNNER_IMAGE": platform.neighbours.images["runner"],
    }
    cluster = platform.cluster
    store = keep.client(platform.neighbours, NAMESPACE, cluster.authority) if cluster else None
    for index in range(len(_documents(name, values))):
        job = _job(name, index, values)
        named = job["metadata"]["name"]
        if not _ended_job(platform.kube, named):
            asked = json.loads(job["spec"]["template"]["metadata"]["annotations"][ANNOTATION_INPUT])
            kept = store is not None and keep.restore(store, asked["output"], asked["inputHash"])
            platform.kube.apply(yaml.safe_dump(job))
            say(f"Job {named}" + (": kept from an earlier time" if kept else ""))
            platform.kube.until(f"Job {named}", partial(_ended_job, platform.kube, named), 1200)
            if store is not None:
                keep.save(store, asked["output"], asked["inputHash"])
        values["DATASET_DIGEST"] = values.get("DATASET_DIGEST") or _artifact(platform.kube, named)


def _documents(name: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(manifest(name, **values)))


def _job(name: str, index: int, values: Mapping[str, str]) -> dict[str, Any]:
    """One of the Jobs; its name and input hash follow from what it is to do, not from who does it."""

    def rendered(digest: str) -> dict[str, Any]:
        short = digest.removeprefix("sha256:")[:8]
        known = {f"{word}_HASH": digest for word in HASHED} | {f"{word}_HASH8": short for word in HASHED}
        return _documents(name, {**values, **known})[index]

    blank = rendered("sha256:" + "0" * 64)["spec"]["template"]["metadata"]["annotations"][ANNOTATION_INPUT]
    return rendered(digest_of_json(json.loads(blank)["parameters"]))


def _artifact(kube: Kube, job: str) -> str:
    """The digest of the artifact that a Job's pod left in its termination message."""
    pod = kube.get("pods", namespace=NAMESPACE, **{"batch.kubernetes.io/job-name": job})[-1]
    message = pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
    return str(json.loads(message)["artifact"]["digest"])


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
        job = kube.own("compressionjobs", name, namespace)
        if job is None:
            raise KubeError(f"there is no CompressionJob {namespace}/{name}")
        seen(job)
        if condition(job, *ENDED):
            return job
        if time.monotonic() > deadline:
            stage = job.get("status", {}).get("stage", "not yet seen")
            raise KubeError(f"CompressionJob {name} had not ended after {seconds:.0f} s; it was {stage}")
        time.sleep(0.5)


def until_reported(
    kube: Kube, name: str, namespace: str = NAMESPACE, seconds: float = 300
) -> Mapping[str, Any]:
    """An ended CompressionJob once the page about it is decided, drawn or not."""

    def decided() -> Mapping[str, Any] | None:
        job = kube.own("compressionjobs", name, namespace) or {}
        state = job.get("status", {}).get("report", {}).get("state")
        return job if state not in ("Pending", "Running") else None

    return kube.until(f"the page about {name}", decided, seconds)


def until_promoted(
    kube: Kube, name: str, namespace: str = NAMESPACE, seconds: float = 600
) -> Mapping[str, Any]:
    """A Promotion once it has ended, well or not."""

    def ended() -> Mapping[str, Any] | None:
        found = kube.own("promotions", name, namespace)
        done = found and found.get("status", {}).get("completionTime")
        return found if done else None

    return kube.until(f"Promotion {name}", ended, seconds)


def condition(job: Mapping[str, Any], *kinds: str) -> Mapping[str, Any] | None:
    """The first of these conditions that is True."""
    conditions = job.get("status", {}).get("conditions", ())
    return next((c for c in conditions if c["type"] in kinds and c["status"] == "True"), None)
