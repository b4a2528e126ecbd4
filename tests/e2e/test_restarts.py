"""The operator is killed again and again during a run: the end and the counts are those of a quiet run."""

from __future__ import annotations

import random
import subprocess
import time

import pytest
import requests

from demo import example
from demo.platform import NAMESPACE, RELEASE

pytestmark = pytest.mark.cluster

KILLS = 5


def kill_operator(platform) -> None:
    """SIGKILL to the operator's process on the node, as a crash would."""
    pods = platform.kube.get("pods", namespace=NAMESPACE, **{"app.kubernetes.io/name": RELEASE})
    running = [
        c for pod in pods for c in pod["status"].get("containerStatuses", ()) if "running" in c["state"]
    ]
    for container in running:
        identifier = container["containerID"].removeprefix("containerd://")
        tasks = platform.node.ctr("tasks", "list")
        pid = next((line.split()[1] for line in tasks.splitlines() if line.startswith(identifier)), None)
        if pid:
            subprocess.run(["kill", "-KILL", pid], check=False)


def tags(platform, name: str, folder) -> list[str]:
    """The tags of a job's model in the registry, what refers to its image among them."""
    bundle = folder / "ca.pem"
    bundle.write_text(platform.neighbours.ca_bundle)
    image = platform.kube.get("compressionjob", name, example.NAMESPACE)["status"]["image"]
    host, _, repository = image["repository"].partition("/")
    account = platform.neighbours.accounts.pull
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (account.name, account.password)
        answer = session.get(f"https://{host}/v2/{repository}/tags/list", verify=str(bundle), timeout=30)
    answer.raise_for_status()
    return answer.json()["tags"]


def count(platform, name: str, folder) -> dict[str, int]:
    """What a run left behind."""
    label = {"compression.modelops.dev/job": name}
    versions = [v for v in platform.kube.get("modelversions") if v["spec"]["model"] == name]
    promotions = [p for p in platform.kube.get("promotions") if p["spec"]["requestedBy"].get("name") == name]
    return {
        "jobs": len(platform.kube.get("jobs", **label)),
        "versions": len(versions),
        "promotions": len(promotions),
        "tags": len(tags(platform, name, folder)),
    }


def test_five_kills_at_random_change_neither_the_end_nor_the_counts(platform, run, tmp_path):
    run("undisturbed")
    quiet = example.until_reported(platform.kube, "undisturbed")
    run("disturbed", wait=False)
    chance = random.Random(20261122)
    for _ in range(KILLS):
        time.sleep(chance.uniform(2, 7))
        kill_operator(platform)
    example.until_ended(platform.kube, "disturbed", seconds=600)
    disturbed = example.until_reported(platform.kube, "disturbed")
    assert example.condition(quiet, "Complete")
    assert example.condition(disturbed, "Complete")
    expected, found = count(platform, "undisturbed", tmp_path), count(platform, "disturbed", tmp_path)
    assert found == expected
    assert expected["tags"] >= 1
    assert [s["attempts"] for s in disturbed["status"]["stages"]] == [
        s["attempts"] for s in quiet["status"]["stages"]
    ]
