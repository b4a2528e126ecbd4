"""The platform that the demo and the end-to-end tests run on: cluster, neighbours, operator, tenants.

Owns the order of setting up. Every step looks at what is there: a second run changes nothing.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster import binaries, lifecycle, progress
from cluster import instance as instances
from cluster.client import Cluster
from cluster.errors import ClusterError
from cluster.images import build
from cluster.neighbours import lifecycle as neighbours
from cluster.neighbours import registry, secrets
from cluster.neighbours.lifecycle import Neighbours
from demo.kube import Kube

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "compression-operator"
RELEASE, NAMESPACE = "compression-operator", "compression-system"
TENANTS = ("team-a", "team-b")


@dataclass(frozen=True)
class Platform:
    """A cluster that is ready for the first manifest; `cluster` is None if it is somebody else's."""

    kube: Kube
    neighbours: Neighbours
    cluster: Cluster | None = None

    @property
    def node(self) -> Cluster:
        """Our own one-node cluster; raises ClusterError on somebody else's."""
        if self.cluster is None:
            raise ClusterError("only the one-node cluster can be reached this way")
        return self.cluster


def ready(console: Console, tenants: Sequence[str] = TENANTS) -> Platform:
    """Bring everything up that a first manifest needs on the one-node cluster."""
    instance = instances.claim(instances.DEFAULT, control_plane_only=False, audit=False)
    lifecycle.up(instance, console, beside=build.Builder().steps())
    cluster = Cluster()
    platform = Platform(Kube(cluster.kubeconfig), neighbours.up(cluster, tenants), cluster)
    install(platform, tenants)
    return platform


def ready_elsewhere(kubeconfig: Path, place: registry.Place, tenants: Sequence[str] = TENANTS) -> Platform:
    """The same on a cluster that is there already, with a registry that it can pull from."""
    progress.show([progress.Step("helm", lambda report: binaries.build(["helm"], report))])
    platform = Platform(Kube(kubeconfig), neighbours.up_elsewhere(kubeconfig, place, tenants))
    install(platform, tenants)
    return platform


def install(platform: Platform, tenants: Sequence[str]) -> None:
    """Install the chart, or bring an installed one up to date."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secrets.PULL, "namespace": NAMESPACE},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": platform.neighbours.pull_config},
    }
    objects = secrets.as_list([secrets.namespace_object(NAMESPACE), secret])
    platform.kube.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=objects)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values(platform.neighbours, tenants), file)
        file.flush()
        helm = [
            str(binaries.path("helm")),
            f"--kubeconfig={platform.kube.kubeconfig}",
            "upgrade",
            "--install",
        ]
        helm += [RELEASE, str(CHART), f"--namespace={NAMESPACE}", f"--values={file.name}"]
        done = subprocess.run(
            [*helm, "--wait", "--timeout=180s"], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise ClusterError(f"helm could not install the chart:\n{done.stderr.strip()}")


def values(place: Neighbours, tenants: Sequence[str]) -> dict[str, Any]:
    """The chart's values for these neighbours; Helm reads JSON as YAML."""
    images = place.images
    bases = [
        {"name": "onnxruntime", "image": images["serving"]},
        {"name": "onnxruntime-vulnerable", "image": images["serving-vulnerable"]},
    ]
    return {
        "images": {
            "operator": images["operator"],
            "runner": images["runner"],
            "evaluator": images["evaluator"],
            "tools": images["tools"],
            "servingBase": images["serving"],
        },
        "imagePullSecrets": [{"name": secrets.PULL}],
        "runtime": {
            "storage": {"url": place.storage},
            "registry": {"defaultPrefix": f"{place.registry}/models"},
            "scanner": {"service": place.scanner},
            "caBundle": place.ca_bundle,
            "spec": {"servingBases": bases},
        },
        "tenants": [
            {"namespace": name, "promotionTarget": True, "imagePullSecrets": [{"name": secrets.PULL}]}
            for name in tenants
        ],
    }
