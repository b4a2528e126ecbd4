"""The chart: where it lies, values that it accepts, and what Helm makes of them."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster import binaries
from support.manifests import DIGEST, changed

CHART = Path(__file__).resolve().parents[2] / "charts" / "compression-operator"
RELEASE = "compression-operator"
NAMESPACE = "modelops-system"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"


def image(name: str) -> str:
    """An image of the platform, by digest."""
    return f"registry.example.com/platform/{name}@{DIGEST}"


VALUES: dict[str, Any] = {
    "images": {
        name: image(name.lower()) for name in ("operator", "runner", "evaluator", "tools", "servingBase")
    },
    "runtime": {
        "storage": {"url": "https://s3.example.com"},
        "registry": {"defaultPrefix": "registry.example.com/{namespace}"},
        "scanner": {"service": "trivy.modelops-system:4954"},
    },
    "tenants": [{"namespace": "team-a", "promotionTarget": True}, {"namespace": "team-b"}],
}


def helm(
    command: str, changes: Mapping[str, Any] | None = None, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run `helm lint` or `helm template` on the chart with values that are changed in some places."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
        json.dump(changed(VALUES, changes or {}), values)
        values.flush()
        release = [RELEASE] if command == "template" else []
        line = [str(binaries.path("helm")), command, *release, str(CHART), f"--values={values.name}"]
        line += [f"--namespace={NAMESPACE}", "--kube-version=1.30.0", *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False)


def rendered(changes: Mapping[str, Any] | None = None, *arguments: str) -> list[dict[str, Any]]:
    """The chart's objects."""
    result = helm("template", changes, *arguments)
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Those of a kind."""
    return [item for item in objects if item["kind"] == kind]
