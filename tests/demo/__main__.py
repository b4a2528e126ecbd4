"""From nothing to a promoted INT8 model that answers."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster.errors import ClusterError
from cluster.neighbours import registry
from demo import example, platform, prediction, table
from demo.kube import Kube, KubeError


def main() -> int:
    """Run the demo; 0 if the release is live and answers as it was measured."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, help="of a cluster that is there already")
    parser.add_argument(
        "--registry", help="host[:port][/path] to push to, with an account in the docker config"
    )
    parser.add_argument("--ca", type=Path, help="PEM certificates of that registry to trust")
    chosen = parser.parse_args()
    if bool(chosen.kubeconfig) != bool(chosen.registry):
        parser.error("KUBECONFIG and REGISTRY belong together: a cluster, and where its images come from")
    console, begun = Console(highlight=False), time.monotonic()
    try:
        ready = _elsewhere(chosen) if chosen.kubeconfig else platform.ready(console)
        console.rule("the example")
        example.apply_serving(ready)
        example.apply_jobs(ready, console.print)
        console.print(ready.kube.apply(example.manifest("fashion-mnist.yaml")).strip())
        job = example.until_ended(ready.kube, example.NAME, seen=table.Narrator(console))
        return _finish(console, ready.kube, job, begun)
    except (ClusterError, KubeError) as error:
        console.print(f"[red]error:[/] {error}", soft_wrap=True)
        return 1


def _elsewhere(chosen: argparse.Namespace) -> platform.Platform:
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    bundle = chosen.ca.read_text() if chosen.ca else ""
    return platform.ready_elsewhere(
        chosen.kubeconfig, registry.given(chosen.registry, folder / "config.json", bundle)
    )


def _finish(console: Console, kube: Kube, job: Mapping[str, Any], begun: float) -> int:
    failed = example.condition(job, "Failed")
    if failed:
        console.print(f"[red]{failed['reason']}[/]: {failed['message']}")
        return 1
    ended = [example.until_promoted(kube, p["name"]) for p in job["status"].get("promotions", ())]
    bad = [p for p in ended if p["status"]["state"] != "Succeeded"]
    for promotion in ended:
        state, failure = promotion["status"]["state"], promotion["status"].get("failure", {})
        console.print(f"Promotion {promotion['metadata']['name']}: {state} {failure.get('message', '')}")
    if bad:
        return 1
    live = prediction.against_golden(kube, example.NAMESPACE, example.MODEL, example.MODEL)
    deployment = kube.get("deployment", example.MODEL, example.NAMESPACE)
    table.show(console, kube.get("compressionjob", example.NAME, example.NAMESPACE), deployment, live)
    console.print(f"done in {time.monotonic() - begun:.0f} s; `make cluster-down` removes the cluster")
    return 0


if __name__ == "__main__":
    sys.exit(main())
