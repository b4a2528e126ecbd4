"""The node: containerd, kubelet, kube-proxy and CoreDNS, and the order in which they can start."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from cluster import (
    binaries,
    cgroups,
    control_plane,
    debian,
    mounts,
    node_config,
    paths,
    readiness,
    services,
    tiny_image,
)
from cluster.client import Cluster
from cluster.errors import ClusterError
from cluster.instance import NODE_NAME, Instance
from cluster.progress import Report, Step
from cluster.services import Service

_DNS_ROLE = Path(__file__).with_name("dns.yaml")


def steps(instance: Instance) -> list[Step]:
    """What a whole cluster needs beside its control plane; `control plane` and others are steps of that."""
    return [
        Step("Debian packages", lambda _: _packages()),
        Step(
            "node binaries",
            lambda report: binaries.build(binaries.NODE, report),
            after=("control plane binaries",),
        ),
        Step(
            "containerd",
            lambda report: _container_runtime(instance, report),
            after=("Debian packages", "node binaries", "certificates", "network"),
        ),
        Step(
            "node",
            lambda report: _node(instance, report),
            after=("containerd", "control plane", "node binaries"),
        ),
        Step("services and DNS", lambda report: _networking(instance, report), after=("node",)),
    ]


def wanted(instance: Instance) -> list[Service]:
    """The services of a node, in the order in which they start."""
    return [_containerd(instance), _scheduler(instance), _kubelet(instance), _proxy(instance), _dns(instance)]


def is_prepared(instance: Instance) -> bool:
    """Whether the services of a node can be compared with what runs."""
    return debian.is_cached() and mounts.is_ready(instance)


def is_ready(instance: Instance) -> bool:
    """Whether pods can be run and can find each other."""
    return readiness.node(instance, NODE_NAME) and _networking_is_ready(instance)


def unmount(instance: Instance) -> None:
    """Let go of the node's mounts; its processes must have ended."""
    mounts.remove(instance)


def _packages() -> str:
    cached = debian.is_cached()
    debian.tools()
    return "cached" if cached else "unpacked"


def _container_runtime(instance: Instance, report: Report) -> str:
    for path, text in _files(instance).items():
        paths.write(path, text)
    cgroups.ensure_pods(instance.cgroup)
    mounts.ensure(instance)
    services.start(instance, _containerd(instance))
    report("waiting for containerd")
    cluster = Cluster(instance.name)
    readiness.until(instance, "containerd", "containerd answered", lambda: _answers(cluster))
    report("importing the sandbox image")
    if node_config.PAUSE_IMAGE not in cluster.ctr("images", "list", "--quiet").split():
        archive = instance.state / "node" / "pause.tar"
        programs = {"pause": binaries.path("pause").read_bytes()}
        archive.write_bytes(tiny_image.archive(node_config.PAUSE_IMAGE, programs, ["/pause"]))
        cluster.ctr_import(archive)
    return "runs containers"


def _answers(cluster: Cluster) -> bool:
    try:
        cluster.ctr("version")
    except ClusterError:
        return False
    return True


def _node(instance: Instance, report: Report) -> str:
    services.start(instance, _scheduler(instance))
    services.start(instance, _kubelet(instance))
    report("waiting for the node to be Ready")
    readiness.until(instance, "kubelet", "the node was Ready", lambda: readiness.node(instance, NODE_NAME))
    return f"{NODE_NAME} is Ready"


def _networking(instance: Instance, report: Report) -> str:
    Cluster(instance.name).kubectl("apply", "--server-side", "-f", str(_DNS_ROLE))
    # kube-proxy ends when the node's address changes, as at its registration: so it starts after that.
    services.start(instance, _proxy(instance))
    services.start(instance, _dns(instance))
    report("waiting for kube-proxy and CoreDNS")
    readiness.until(
        instance, "coredns", "kube-proxy and CoreDNS were ready", lambda: _networking_is_ready(instance)
    )
    return "Services resolve and answer"


def _networking_is_ready(instance: Instance) -> bool:
    return _is_well(node_config.proxy_health(instance)) and _is_well(node_config.dns_readiness(instance))


def _is_well(url: str) -> bool:
    # The node's address is on a link of this machine: a proxy of the environment could not reach it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _containerd(instance: Instance) -> Service:
    tools = debian.tools()
    program, *arguments = node_config.containerd(instance)
    argv = [str(tools.program(program)), *arguments]
    return Service("containerd", argv, tools.environment(), mounts.file(instance), _read_by(argv, instance))


def _kubelet(instance: Instance) -> Service:
    argv = _built(node_config.kubelet(instance))
    environment = debian.tools().environment()
    return Service("kubelet", argv, environment, mounts.file(instance), _read_by(argv, instance))


def _proxy(instance: Instance) -> Service:
    # It runs `nft`.
    return Service("kube-proxy", _built(node_config.proxy(instance)), debian.tools().environment())


def _dns(instance: Instance) -> Service:
    return services.built("coredns", node_config.dns(instance), _files(instance))


def _scheduler(instance: Instance) -> Service:
    return services.built("scheduler", control_plane.scheduler(instance), control_plane.files(instance))


def _built(argv: list[str]) -> list[str]:
    return [str(binaries.path(argv[0])), *argv[1:]]


def _files(instance: Instance) -> Mapping[Path, str]:
    return node_config.files(instance, debian.tools().cni_plugins)


def _read_by(argv: list[str], instance: Instance) -> str:
    return services.named(argv, _files(instance))
