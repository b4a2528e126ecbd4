"""The node: containerd, kubelet, kube-proxy and CoreDNS, and the order in which they can start."""

from cluster.instance import Instance
from cluster.progress import Step
from cluster.services import Service


def steps(instance: Instance) -> list[Step]:
    return []


def services(instance: Instance) -> list[Service]:
    return []


def is_prepared(instance: Instance) -> bool:
    return True


def is_ready(instance: Instance) -> bool:
    return True


def unmount(instance: Instance) -> None:
    from cluster import mounts

    mounts.remove(instance)
