"""The kinds installed on a real API server, once for all tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.client import Cluster
from cluster.errors import ClusterError
from cluster.pytest_plugin import api_server  # noqa: F401 - a fixture

CRDS = Path(__file__).resolve().parents[2] / "crds"


class Server:
    """What the tests ask of the API server, in a namespace of its own."""

    namespace = "kinds"

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints, in the namespace of the tests."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def would_create(self, manifest: dict) -> dict:
        """The object as the server would store it, with its defaults; nothing is stored."""
        answer = self.kubectl(
            "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(manifest)
        )
        return json.loads(answer)

    def refusal(self, manifest: dict, verb: str = "create") -> str:
        """Why the server refuses a manifest; fails if it takes it."""
        try:
            self.kubectl(verb, "--dry-run=server", "-f", "-", stdin=json.dumps(manifest))
        except ClusterError as error:
            return str(error)
        return pytest.fail(f"the API server took {json.dumps(manifest)}")

    def apply(self, manifest: dict) -> dict:
        """Store a manifest and return the object."""
        return json.loads(self.kubectl("apply", "-o", "json", "-f", "-", stdin=json.dumps(manifest)))


@pytest.fixture(scope="session")
def server(api_server: Cluster) -> Server:  # noqa: F811 - the fixture imported above
    """An API server that knows the kinds."""
    for path in sorted(CRDS.glob("*.yaml")):
        api_server.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))
    names = [f"crd/{path.stem}.compression.modelops.dev" for path in sorted(CRDS.glob("*.yaml"))]
    api_server.kubectl("wait", "--for=condition=Established", "--timeout=60s", *names)
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": Server.namespace}}
    api_server.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    return Server(api_server)
