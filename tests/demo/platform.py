"""The platform that the demo and the end-to-end tests run on: cluster, neighbours, operator, tenants.

Owns the order of setting up. Every step looks at what is there: a second run changes nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster import instance as instances
from cluster import lifecycle
from cluster.client import Cluster
from cluster.images import build, recipes
from cluster.neighbours import secrets
from cluster.neighbours.lifecycle import Neighbours
from cluster.neighbours.lifecycle import up as neighbours_up
from demo.kube import Kube

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "compression-operator"
RELEASE, NAMESPACE = "compression-operator", "compression-system"
TENANTS = ("team-a", "team-b")


@dataclass(frozen=True)
class Platform:
    """A cluster that is ready for the first manifest."""

    cluster: Cluster
    kube: Kube
    neighbours: Neighbours


def ready(console: Console, tenants: Sequence[str] = TENANTS) -> Platform:
    """Bring everything up that a first manifest needs on the one-node cluster."""
    instance = instances.claim(instances.DEFAULT, control_plane_only=False, audit=False)
    names = [*recipes.IMAGES]
    lifecycle.up(instance, console, beside=build.Builder(names).steps())
    cluster = Cluster()
    neighbours = neighbours_up(cluster, tenants)
    install(cluster, neighbours, tenants)
    return Platform(cluster, Kube(cluster.kubeconfig), neighbours)


def install(cluster: Cluster, neighbours: Neighbours, tenants: Sequence[str]) -> None:
    """Install the chart, or bring an installed one up to date."""
    pull = neighbours.accounts.docker_config(neighbours.accounts.pull, neighbours.registry)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secrets.PULL, "namespace": NAMESPACE},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": pull},
    }
    objects = secrets.as_list([secrets.namespace_object(NAMESPACE), secret])
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=objects)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values(neighbours, tenants), file)
        file.flush()
        cluster.helm(
            "upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}", "--create-namespace",
            f"--values={file.name}", "--wait", "--timeout=180s",
        )  # fmt: skip


def values(neighbours: Neighbours, tenants: Sequence[str]) -> dict[str, Any]:
    """The chart's values for these neighbours; Helm reads JSON as YAML."""
    images = neighbours.images
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
            "storage": {"url": neighbours.storage},
            "registry": {"defaultPrefix": f"{neighbours.registry}/models"},
            "scanner": {"service": neighbours.scanner},
            "caBundle": neighbours.ca_bundle,
            "spec": {"servingBases": bases},
        },
        "tenants": [
            {"namespace": name, "promotionTarget": True, "imagePullSecrets": [{"name": secrets.PULL}]}
            for name in tenants
        ],
    }
