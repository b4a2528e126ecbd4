"""The operator with a toy kind as a process of its own, and a hand that plays the kubelet."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from api.engine import toy
from cluster import instance as instances
from cluster import lifecycle
from cluster.client import Cluster
from compression_operator.cluster.client import Client
from compression_operator.cluster.credentials import Credentials, login

ROOT = Path(__file__).resolve().parents[3]
TOY = str(Path(toy.__file__).with_name("toy_operator.py"))
REAL = ("-m", "compression_operator")
PATIENCE = 60.0
"""Seconds until a test gives up waiting; what is waited for takes a fraction of one."""


def eventually(what: Callable[[], object], *, patience: float = PATIENCE):
    """The first true value of `what`."""
    deadline = time.monotonic() + patience
    while not (value := what()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {patience} s in vain")
        time.sleep(0.05)
    return value


class Place:
    """A namespace of its own on the API server."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def get(self, kind: str, name: str) -> dict:
        text = self.kubectl("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(text) if text else {}

    def list(self, kind: str, *arguments: str) -> list[dict]:
        return json.loads(self.kubectl("get", kind, "-o", "json", *arguments))["items"]

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=manifest)

    def status(self, chain: str) -> dict:
        return self.get("chain", chain).get("status", {})

    def pod_of(self, job: str) -> str:
        """The pod of a Job, once the Job controller has made it."""
        label = f"batch.kubernetes.io/job-name={job}"
        return eventually(lambda: self.kubectl("get", "pods", "-l", label, "-o", "name")).split()[0]

    def end(self, job: str, exit_code: int = 0, message: str = "", reason: str = "Completed") -> None:
        """Do as the kubelet does when the pod's container has ended."""
        ended = {"exitCode": exit_code, "message": message, "reason": reason}
        container = {"name": "main", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
        status = {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [{**container, "state": {"terminated": ended}}],
        }
        self.kubectl("patch", self.pod_of(job), "--subresource=status", "-p", json.dumps({"status": status}))


class Operator:
    """The process under test."""

    def __init__(
        self, place: Place, folder: Path, program: tuple[str, ...] = (TOY,), **settings: str
    ) -> None:
        self._log = folder / f"operator-{time.monotonic_ns()}.log"
        environment = {
            **os.environ,
            "KUBECONFIG": str(settings.pop("kubeconfig", place.cluster.kubeconfig)),
            "PYTHONPATH": ":".join(str(ROOT / part) for part in ("operator", "jobs", "tests")),
        }
        chosen = {
            "namespaces": place.namespace,
            "metrics_port": "0",
            "liveness_port": "0",
            "insecure_no_admission": "true",
            **settings,
        }
        environment |= {f"COMPRESSION_OPERATOR_{name.upper()}": value for name, value in chosen.items()}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> list[dict]:
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]

    def output(self) -> str:
        return self._log.read_text()

    def said(self, event: str) -> list[dict]:
        return [line for line in self.log if line["event"] == event]

    def wait_for(self, event: str) -> None:
        def seen() -> bool:
            if self.process.poll() is not None:
                pytest.fail(f"the operator has ended:\n{self.output()[-4000:]}")
            return bool(self.said(event))

        eventually(seen)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="session")
def toys() -> Iterator[Cluster]:
    """An API server that knows the toy kind beside ours, without the chart.

    The chart's policies let nobody but the operator make such children; here the tests make some, too.
    """
    chosen = os.environ.get("COMPRESSION_OPERATOR_ENGINE_INSTANCE")
    instance = instances.claim(
        chosen or f"engine-{os.getpid()}", control_plane_only=True, audit=True, owned=not chosen
    )
    lifecycle.up(instance)
    try:
        cluster = Cluster(instance.name)
        for path in sorted((ROOT / "crds").glob("*.yaml")):
            cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(toy.CRD))
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        yield cluster
    finally:
        if not chosen:
            lifecycle.down(instance)


@pytest.fixture
def place(toys: Cluster, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace for one test."""
    name = f"engine-{os.getpid()}-{time.monotonic_ns() % 10**9}"
    toys.kubectl("create", "namespace", name)
    yield Place(toys, name)
    toys.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def start(place: Place, tmp_path: Path) -> Iterator[Callable[..., Operator]]:
    """Starts operators and waits until they lead."""
    running: list[Operator] = []

    def begin(program: tuple[str, ...] = (TOY,), **settings: str) -> Operator:
        operator = Operator(place, tmp_path, program, **settings)
        running.append(operator)
        operator.wait_for("leading")
        return operator

    yield begin
    for operator in running:
        operator.stop(signal.SIGKILL)


@pytest.fixture
async def client(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """Our client, as administrator."""
    monkeypatch.setenv("KUBECONFIG", str(place.cluster.kubeconfig))
    async with Client(Credentials(login())) as made:
        yield made
