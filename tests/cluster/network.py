"""The cluster's network namespace and its one link to the host; nothing of the host's own is changed."""

import json
import subprocess
from typing import Any

from cluster.errors import ClusterError
from cluster.instance import Instance


def commands(instance: Instance) -> list[list[str]]:
    """What brings the link up; each may be run again."""
    inside = ["ip", "-n", instance.namespace]
    node, host = instance.node_address, instance.host_address
    return [
        ["ip", "address", "replace", f"{host}/24", "dev", instance.host_interface],
        ["ip", "link", "set", instance.host_interface, "up"],
        [*inside, "address", "replace", f"{node}/24", "dev", "eth0"],
        [*inside, "link", "set", "lo", "up"],
        [*inside, "link", "set", "eth0", "up"],
        [*inside, "route", "replace", "default", "via", host],
    ]


def ensure(instance: Instance) -> None:
    """Make the namespace and the link, or what is left to do of them."""
    if not is_up(instance):
        # A file that enters nothing is what an interrupted `ip netns add`, or a reboot, leaves behind.
        instance.namespace_file.unlink(missing_ok=True)
        _run("ip", "netns", "add", instance.namespace)
    if not has_link(instance):
        peer = ["peer", "name", "eth0", "netns", instance.namespace]
        _run("ip", "link", "add", instance.host_interface, "type", "veth", *peer)
    for command in commands(instance):
        _run(*command)


def remove(instance: Instance) -> None:
    """Remove the link and the namespace; the processes in it must have ended."""
    if has_link(instance):
        _run("ip", "link", "delete", instance.host_interface)
    if instance.namespace_file.exists():
        _run("ip", "netns", "delete", instance.namespace)


def is_up(instance: Instance) -> bool:
    """Whether the namespace can be entered."""
    if not instance.namespace_file.exists():
        return False
    command = ["nsenter", f"--net={instance.namespace_file}", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def has_link(instance: Instance) -> bool:
    """Whether the host's end of the link is there."""
    return any(link["ifname"] == instance.host_interface for link in host_addresses())


def host_addresses() -> list[dict[str, Any]]:
    """The host's interfaces with their addresses, as iproute2 tells them."""
    links: list[dict[str, Any]] = json.loads(_run("ip", "-json", "address", "show") or "[]")
    return links


def entering(instance: Instance) -> list[str]:
    """The start of a command line that runs the rest inside the namespace, and keeps the cgroup mounts."""
    return ["nsenter", f"--net={instance.namespace_file}", "--"]


def _run(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"`{' '.join(command)}` failed: {result.stderr.strip()}")
    return result.stdout
