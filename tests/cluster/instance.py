"""One cluster among several on a machine: its name decides its namespace, addresses, cgroup and state.

Owns: names and numbers, and the record of which instance holds which network. Starts nothing.
"""

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cluster import paths
from cluster.errors import ClusterError
from cluster.processes import Identity, identify, is_alive

DEFAULT = "default"
NODE_NAME = "node-0"
POD_NETWORK = "10.77.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
API_PORT = 6443
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
# A unix socket's path has 108 bytes (unix(7)); the longest one below a state folder has 40.
_LONGEST_STATE_PATH = 66


@dataclass(frozen=True)
class Instance:
    """What is decided about a cluster before it exists; `index` is the third octet of its addresses."""

    name: str
    index: int = 0
    control_plane_only: bool = False
    audit: bool = False
    owner: Identity | None = field(default=None, compare=False)

    @property
    def state(self) -> Path:
        """The folder of everything that ends with the cluster."""
        return paths.states() / self.name

    @property
    def node_address(self) -> str:
        """Where the API server and host-network pods listen; reached from the host and from pods."""
        return f"10.70.{self.index}.1"

    @property
    def host_address(self) -> str:
        """The host's end of the link; also the node's default gateway."""
        return f"10.70.{self.index}.254"

    @property
    def host_interface(self) -> str:
        """The host's network interface of the link."""
        return f"co-{self.index}"

    @property
    def namespace(self) -> str:
        """The network namespace."""
        return "compression-operator" if self.name == DEFAULT else f"compression-operator-{self.name}"

    @property
    def namespace_file(self) -> Path:
        """The file that enters the network namespace."""
        return Path("/run/netns") / self.namespace

    @property
    def cgroup(self) -> str:
        """The cgroup, relative to each hierarchy's mount."""
        return f"compression-operator/{self.name}"

    @property
    def url(self) -> str:
        """The API server."""
        return f"https://{self.node_address}:{API_PORT}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig" / "admin.yaml"

    @property
    def pki(self) -> Path:
        """The folder of keys and certificates."""
        return self.state / "pki"

    @property
    def log(self) -> Path:
        """The folder of the processes' logs."""
        return self.state / "log"

    @property
    def audit_log(self) -> Path:
        """Where the API server writes one JSON line for each request, when `audit` is on."""
        return self.state / "log" / "audit.jsonl"

    @property
    def containerd_socket(self) -> Path:
        """Where containerd listens."""
        return self.state / "node" / "containerd.sock"


def check_name(name: str) -> None:
    """Refuse a name that cannot be part of a namespace's or cgroup's name."""
    if not _NAME.fullmatch(name):
        raise ClusterError(
            f"{name!r} is no name for a cluster: use lower case letters, digits and '-', at most 32"
        )


def load(name: str) -> Instance | None:
    """The recorded instance of that name; None where there is none."""
    try:
        found: dict[str, Any] = json.loads(_record(name).read_text())
    except FileNotFoundError:
        return None
    owner = found.pop("owner")
    return Instance(**found, owner=Identity.load(owner) if owner else None)


def every() -> list[Instance]:
    """All recorded instances."""
    names = sorted(path.parent.name for path in paths.states().glob("*/instance.json"))
    return [found for name in names if (found := load(name))]


def claim(name: str, *, control_plane_only: bool, audit: bool, owned: bool = False) -> Instance:
    """Record an instance with a network of its own, or update what is wanted of the recorded one.

    With `owned`, the calling process is noted as the one that the instance must not outlive.
    """
    check_name(name)
    if len(str(paths.states() / name)) > _LONGEST_STATE_PATH:
        raise ClusterError(
            f"{paths.states() / name} is too long for the sockets in it; set COMPRESSION_OPERATOR_STATE to a "
            "shorter folder"
        )
    with paths.lock(paths.states() / ".lock"):
        recorded = load(name)
        if recorded is not None and recorded.control_plane_only != control_plane_only:
            kind = "a control plane alone" if recorded.control_plane_only else "a whole cluster"
            raise ClusterError(f"{name} is {kind}; take it down first, or choose another name")
        index = recorded.index if recorded is not None else _free_index(name)
        owner = identify(os.getpid()) if owned else None
        instance = Instance(name, index, control_plane_only, audit, owner)
        record(instance)
    return instance


def record(instance: Instance) -> None:
    """Write down what was decided."""
    paths.write(_record(instance.name), json.dumps(asdict(instance)))


def abandoned() -> list[Instance]:
    """Instances whose owner is gone, as after a test run that was killed."""
    return [found for found in every() if found.owner is not None and not is_alive(found.owner)]


def _record(name: str) -> Path:
    return paths.states() / name / "instance.json"


def _free_index(name: str) -> int:
    if name == DEFAULT:
        return 0
    taken = {found.index for found in every()} | {0}
    links = {path.name for path in Path("/sys/class/net").iterdir()}
    free = (index for index in range(1, 255) if index not in taken and f"co-{index}" not in links)
    if (index := next(free, None)) is None:
        raise ClusterError("all 254 networks are taken; take clusters down that nobody needs")
    return index
