"""The chart installed on a real API server, once for all tests of this folder."""

from __future__ import annotations

import json
import tempfile
import time
from uuid import uuid4

import pytest

from api.subjects import BINDINGS, OWN, SERVING_DEPLOYMENT
from cluster.client import Cluster
from cluster.errors import ClusterError
from cluster.pytest_plugin import api_server  # noqa: F401 - a fixture
from support.chart import CHART, NAMESPACE, OPERATOR, RELEASE, VALUES
from support.manifests import changed, model_version

PERSON = ("--as=alice", "--as-group=system:masters")
"""A person who may do everything, under a name that manifests can carry."""


class Server:
    """What the tests ask of the API server, in a tenant's namespace."""

    namespace = "team-a"

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def kubectl(self, *arguments: str, stdin: str | None = None, user: tuple[str, ...] = PERSON) -> str:
        """What kubectl prints, for alice or for another user."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *user, *arguments, stdin=stdin)

    def operator(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints for the operator's service account."""
        return self.kubectl(*arguments, stdin=stdin, user=(f"--as={OPERATOR}",))

    def would_create(self, manifest: dict) -> dict:
        """The object as the server would store it, with its defaults; nothing is stored."""
        answer = self.kubectl(
            "create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(manifest)
        )
        return json.loads(answer)

    def change(self, user: tuple[str, ...], kind: str, name: str, patch: dict, subresource: str = "") -> str:
        """Merge a patch as a user; returns the refusal or an empty string."""
        arguments = ["patch", kind, name, "--type=merge", "-p", json.dumps(patch)]
        arguments += [f"--subresource={subresource}"] if subresource else []
        try:
            self.kubectl(*arguments, user=user)
        except ClusterError as error:
            return str(error)
        return ""

    def refusal(self, manifest: dict, user: tuple[str, ...] = PERSON, verb: str = "create") -> str:
        """Why the server refuses a manifest; empty if it takes it. Nothing is stored."""
        try:
            self.kubectl(verb, "--dry-run=server", "-f", "-", stdin=json.dumps(manifest), user=user)
        except ClusterError as error:
            return str(error)
        return ""


@pytest.fixture(scope="session")
def server(api_server: Cluster) -> Server:  # noqa: F811 - the fixture imported above
    """An API server with the chart installed and its policies in force."""
    namespaces = [NAMESPACE, *(tenant["namespace"] for tenant in VALUES["tenants"])]
    documents = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces]
    for document in documents:
        api_server.kubectl("apply", "-f", "-", stdin=json.dumps(document))
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
        json.dump(VALUES, values)
        values.flush()
        release = ("upgrade", "--install", RELEASE, str(CHART), f"--namespace={NAMESPACE}")
        api_server.helm(*release, f"--values={values.name}")
    server = Server(api_server)
    _wait_until_policies_are_in_force(server)
    return server


def _wait_until_policies_are_in_force(server: Server) -> None:
    """The API server takes up new policies a moment after they were made."""
    deadline = time.monotonic() + 60
    forger = ("--as=forger", "--as-group=forgers")
    rights = ("create", "clusterrolebinding", "forgers", "--clusterrole=forger", "--group=forgers")
    role = ("create", "clusterrole", "forger", "--verb=create", "--resource=modelversions,promotions")
    for command in (role, rights):
        manifest = server.kubectl(*command, "--dry-run=client", "-o", "yaml")
        server.kubectl("apply", "-f", "-", stdin=manifest)
    while "denied request" not in server.refusal(model_version(), user=forger):
        if time.monotonic() > deadline:
            pytest.fail("the admission policies do not come into force")
        time.sleep(0.2)


@pytest.fixture(scope="session")
def people(server: Server) -> Server:
    """The server with people in the tenant's namespace, with the roles that the chart made for them."""
    for user, role in BINDINGS.items():
        _make(server, "rolebinding", user, f"--clusterrole={role}", f"--user={user}")
    for name, user, verb, thing in OWN:
        resource, instance = thing.split("/")
        _make(server, "role", name, f"--verb={verb}", f"--resource={resource}", f"--resource-name={instance}")
        _make(server, "rolebinding", name, f"--role={name}", f"--user={user}")
    _apply(server, json.dumps(SERVING_DEPLOYMENT))
    return server


def _make(server: Server, *what: str) -> None:
    _apply(server, server.kubectl("create", *what, "--dry-run=client", "-o", "json"))


def _apply(server: Server, text: str) -> None:
    server.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


@pytest.fixture
def stored(people: Server):
    """Stores an object under a name of its own, as a user who may; takes it away in the end."""
    names = []

    def _stored(manifest: dict, user: tuple[str, ...] = PERSON, name: str = "") -> dict:
        manifest = changed(manifest, {"metadata.name": name or f"p-{uuid4().hex[:8]}"})
        people.kubectl("create", "-f", "-", stdin=json.dumps(manifest), user=user)
        names.append((manifest["kind"], manifest["metadata"]["name"]))
        return manifest

    yield _stored
    for kind, name in names:
        people.kubectl("delete", kind, name, "--wait=false", "--force", "--grace-period=0")
