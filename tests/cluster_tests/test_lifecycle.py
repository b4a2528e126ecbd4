"""A whole cluster of its own, interrupted, hurt and taken down; nothing of the host may change."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from cluster import cgroups, debian, lifecycle, node, paths, processes, services, supervisor, tiny_image
from cluster import instance as instances
from cluster.client import Cluster
from cluster.instance import Instance

pytestmark = pytest.mark.cluster

BUSYBOX = "compression-operator.local/busybox:1"
# What tells that a cluster was here: links, namespaces, mounts, kernel settings, folders at fixed places.
_KERNEL = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
_FOLDERS = (
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/opt/containerd",
    "/etc/cni",
)


def traces(name: str) -> dict[str, object]:
    """What of the host a cluster could change; other clusters' networks and cgroups left out."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    links = subprocess.run(["ip", "-oneline", "address"], capture_output=True, text=True, check=True).stdout
    return {
        "links": [line for line in links.splitlines() if not line.split()[1].startswith("co-")],
        "namespace": Path(f"/run/netns/compression-operator-{name}").exists(),
        "mounts": sorted(line.split()[4] for line in mounts if f"/{name}/" in line or "overlay" in line),
        "kernel": {key: Path("/proc/sys", key).read_text() for key in _KERNEL},
        "folders": [folder for folder in _FOLDERS if Path(folder).exists()],
        "cgroups": [
            str(h) for h in cgroups.layout().hierarchies if (h / f"compression-operator/{name}").exists()
        ],
        "processes": processes_naming(name),
    }


def processes_naming(name: str) -> list[str]:
    """Command lines, other than this test's, that name the instance's state folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"/{name}/" in line and int(path.parent.name) != os.getpid():
            lines.append(line)
    return lines


def until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for something that must come; the limit only ends a test that has failed."""
    end = time.monotonic() + 90
    while not is_true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.1)


def interrupted(verb: str, instance: Instance, seconds: float) -> None:
    """Begin to bring it up or to take it down, and be killed after some seconds."""
    script = f"from cluster import lifecycle, instance; lifecycle.{verb}(instance.load({instance.name!r}))"
    environment = os.environ | {"PYTHONPATH": str(paths.PACKAGE.parent)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as process:
        time.sleep(seconds)
        process.kill()


@pytest.fixture(scope="module")
def name() -> str:
    return f"lifecycle-{os.getpid()}"


@pytest.fixture(scope="module")
def before(name: str) -> dict[str, object]:
    return traces(name)


@pytest.fixture(scope="module")
def instance(name: str, before: dict[str, object]) -> Iterator[Instance]:
    claimed = instances.claim(name, control_plane_only=False, audit=False, owned=True)
    try:
        yield claimed
    finally:
        lifecycle.down(claimed)


@pytest.fixture(scope="module")
def up(instance: Instance) -> Cluster:
    """A cluster whose `up` was killed three times on its way."""
    for seconds in (0.4, 1.5, 4.0):
        interrupted("up", instance, seconds)
    assert lifecycle.up(instance)
    return Cluster(instance.name)


@pytest.fixture(scope="module")
def busybox(up: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    program = debian.tools(("busybox-static",)).program("busybox").read_bytes()
    archive = tmp_path_factory.mktemp("image") / "busybox.tar"
    archive.write_bytes(tiny_image.archive(BUSYBOX, {"bin/busybox": program}, ["/bin/busybox"]))
    assert up.ctr_import(archive) == [BUSYBOX]
    return BUSYBOX


def pod(name: str, image: str, *command: str, **spec: object) -> str:
    """A pod with one container under the restricted profile."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "Never",
        "args": ["sh", "-c", *command],
        "env": [{"name": "PATH", "value": "/bin"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            **spec,
        },
    }
    return yaml.safe_dump(manifest)


def test_pods_find_each_other_by_the_name_of_a_service(up: Cluster, busybox: str) -> None:
    serve = "while true; do echo hello | busybox nc -l -p 8080; done"
    up.kubectl("apply", "-f", "-", stdin=pod("server", busybox, serve))
    up.kubectl("expose", "pod/server", "--port=80", "--target-port=8080")
    up.kubectl("wait", "--for=condition=Ready", "pod/server", "--timeout=60s")
    host = "server.default.svc.cluster.local"
    ask = f"until busybox nc {host} 80 > /dev/termination-log; do busybox sleep 0.2; done"
    up.kubectl("apply", "-f", "-", stdin=pod("client", busybox, ask))
    up.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/client", "--timeout=60s")
    message = "jsonpath={.status.containerStatuses[0].state.terminated.message}"
    assert up.kubectl("get", "pod/client", "-o", message).strip() == "hello"


def test_logs_and_exec_reach_the_kubelet(up: Cluster, busybox: str) -> None:
    up.kubectl("apply", "-f", "-", stdin=pod("talks", busybox, "echo said; exec busybox sleep 3600"))
    up.kubectl("wait", "--for=condition=Ready", "pod/talks", "--timeout=60s")
    assert up.kubectl("logs", "talks").strip() == "said"
    assert up.kubectl("exec", "talks", "--", "/bin/busybox", "id", "-u").strip() == "65532"


def test_a_second_up_changes_no_process(up: Cluster) -> None:
    def identities() -> list[tuple[str, int, int]]:
        found = [services.condition(up.instance, name) for name in services.names(up.instance)]
        return [(one.name, one.pid, one.restarts) for one in found]

    earlier = identities()
    assert not lifecycle.up(up.instance)
    assert identities() == earlier


SERVICES = [
    "apiserver",
    "containerd",
    "controller-manager",
    "coredns",
    "etcd",
    "kube-proxy",
    "kubelet",
    "scheduler",
]


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_process_comes_back(up: Cluster, busybox: str, service: str) -> None:
    killed = services.condition(up.instance, service)
    os.kill(killed.pid, signal.SIGKILL)
    until(
        lambda: services.condition(up.instance, service).pid not in {0, killed.pid},
        f"{service} started again",
    )
    until(lambda: lifecycle.is_up(up.instance), "the cluster was up again")
    assert services.condition(up.instance, service).restarts > killed.restarts
    up.kubectl("delete", "pod/after", "--ignore-not-found")
    up.kubectl("apply", "-f", "-", stdin=pod("after", busybox, "exit 0"))
    up.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/after", "--timeout=60s")


def test_containers_outlive_their_runtime(up: Cluster) -> None:
    """`talks` was started before containerd was killed."""
    restarts = "jsonpath={.status.containerStatuses[0].restartCount}"
    assert up.kubectl("get", "pod/talks", "-o", restarts) == "0"
    assert up.kubectl("exec", "talks", "--", "/bin/busybox", "echo", "here").strip() == "here"


def test_every_service_is_tried_above(up: Cluster) -> None:
    assert services.names(up.instance) == SERVICES


def test_a_killed_supervisor_is_replaced_and_leaves_no_second_process(up: Cluster) -> None:
    record = supervisor.read_record(up.instance.state / "run" / "kube-proxy.json")
    child, supervising = supervisor.child_of(record), supervisor.supervisor_of(record)
    assert child is not None
    assert supervising is not None
    processes.send(supervising, signal.SIGKILL)
    until(lambda: not processes.is_alive(supervising), "the supervisor ended")
    assert processes.is_alive(child)
    assert lifecycle.up(up.instance)
    assert not processes.is_alive(child)
    assert all(services.is_wanted(up.instance, wanted) for wanted in node.wanted(up.instance))


def test_down_leaves_nothing(up: Cluster, name: str, before: dict[str, object]) -> None:
    for seconds in (0.5, 0.7):
        interrupted("down", up.instance, seconds)
    lifecycle.down(up.instance)
    assert traces(name) == before
    assert not up.instance.state.exists()
    assert instances.load(name) is None
