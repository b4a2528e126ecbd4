"""What a machine must have before anything is started, said as one list of what is missing and how to get it.

Owns: the questions and their wording. `problems` is pure; `look` asks the machine.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import binaries, cgroups, debian, network, paths
from cluster import instance as instances
from cluster.errors import ClusterError, MissingRequirementError
from cluster.instance import Instance

_GIB = 2**30
_HOST_PROGRAMS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}
_DEBIAN_PROGRAMS = {"apt-get": "apt", "dpkg-deb": "dpkg"}
# Inside the node's mount namespace these are the cluster's own, so neither cache nor state may lie there.
_HIDDEN = ("/run", "/var/lib", "/var/log", "/var/run")


@dataclass(frozen=True)
class Needs:
    """What one kind of cluster needs; sizes in GiB."""

    disk: int
    memory: int
    programs: tuple[str, ...]


WHOLE = Needs(disk=15, memory=6, programs=(*_HOST_PROGRAMS, *_DEBIAN_PROGRAMS))
CONTROL_PLANE = Needs(disk=5, memory=2, programs=("ip", "nsenter"))


@dataclass(frozen=True)
class Machine:
    """What was found; sizes in bytes. `go` is the toolchain's complaint, empty when it can build."""

    is_root: bool
    programs: frozenset[str]
    go: str
    free_disk: int
    free_memory: int
    cgroups: str
    filesystem: str
    has_overlay: bool
    busy: str
    cache: Path
    state: Path


@dataclass(frozen=True)
class Problem:
    """One thing that is missing, and how to get it."""

    what: str
    remedy: str


def problems(machine: Machine, needs: Needs) -> list[Problem]:
    """Everything that is missing, the most basic first."""
    found: list[Problem] = []
    if not machine.is_root:
        found.append(Problem("not root", "run it with sudo, or in a container with --privileged"))
    if absent := [name for name in needs.programs if name not in machine.programs]:
        packages = sorted({(_HOST_PROGRAMS | _DEBIAN_PROGRAMS)[name] for name in absent})
        debian_only = set(absent) <= set(_DEBIAN_PROGRAMS)
        remedy = (
            "use a Debian or Ubuntu machine or container"
            if debian_only
            else f"apt-get install {' '.join(packages)}"
        )
        found.append(Problem(f"no {', '.join(absent)}", remedy))
    if machine.go:
        found.append(
            Problem(f"no Go that can build Kubernetes ({machine.go})", "install Go from https://go.dev/dl/")
        )
    if machine.free_disk < needs.disk * _GIB:
        what = f"{machine.free_disk / _GIB:.1f} GiB free at {machine.cache}, {needs.disk} needed"
        found.append(
            Problem(what, "make room, or set COMPRESSION_OPERATOR_CACHE to a folder on a larger disk")
        )
    if machine.free_memory < needs.memory * _GIB:
        what = f"{machine.free_memory / _GIB:.1f} GiB of memory available, {needs.memory} needed"
        found.append(Problem(what, "end other programs, or use a larger machine"))
    if machine.cgroups:
        found.append(Problem("no usable cgroups", machine.cgroups))
    if not machine.has_overlay and needs is WHOLE:
        found.append(Problem("the kernel has no overlay file system", "modprobe overlay"))
    if machine.filesystem == "overlay" and needs is WHOLE:
        what = f"{machine.state} is on an overlay file system, which cannot hold the layers of images"
        found.append(
            Problem(what, "mount a volume there, or set COMPRESSION_OPERATOR_STATE to a folder on one")
        )
    if machine.busy:
        found.append(Problem(machine.busy, "remove it, or choose another cluster with --name"))
    if needs is WHOLE:
        found += [
            Problem(f"{folder} is in a folder that the node hides", f"set {variable} to a folder elsewhere")
            for variable, folder in (
                ("COMPRESSION_OPERATOR_CACHE", machine.cache),
                ("COMPRESSION_OPERATOR_STATE", machine.state),
            )
            if any(folder.is_relative_to(hidden) for hidden in _HIDDEN)
        ]
    return found


def message(found: Sequence[Problem]) -> str:
    """The list as a person reads it."""
    lines = [f"  - {problem.what}: {problem.remedy}" for problem in found]
    return "\n".join(["this machine cannot run the cluster yet:", *lines])


def check(instance: Instance) -> None:
    """Raise MissingRequirementError with the whole list when anything is missing."""
    needs = CONTROL_PLANE if instance.control_plane_only else WHOLE
    if found := problems(look(instance), needs):
        raise MissingRequirementError(message(found))


def look(instance: Instance) -> Machine:
    """Ask the machine."""
    cache = paths.cache()
    cache.mkdir(parents=True, exist_ok=True)
    programs = {name for name in WHOLE.programs if shutil.which(name)}
    if debian.is_cached():
        programs |= set(_DEBIAN_PROGRAMS)
    return Machine(
        is_root=os.geteuid() == 0,
        programs=frozenset(programs),
        go=_go_complaint() if binaries.missing(binaries.needed(instance)) else "",
        free_disk=shutil.disk_usage(cache).free,
        free_memory=_available_memory(Path("/proc/meminfo").read_text()),
        cgroups=_cgroup_complaint(),
        filesystem=filesystem_of(instance.state, Path("/proc/self/mountinfo").read_text()),
        has_overlay="overlay" in Path("/proc/filesystems").read_text(),
        busy=_busy(instance) if shutil.which("ip") else "",
        cache=cache,
        state=instance.state,
    )


def filesystem_of(folder: Path, mountinfo: str) -> str:
    """The type of the file system that a folder is, or would be, on."""
    lines = [line.split() for line in mountinfo.splitlines()]
    # Of two mounts at one place the later hides the earlier; max keeps the first of equals.
    mounts = [(Path(fields[4]), fields[fields.index("-") + 1]) for fields in reversed(lines)]
    above = [(point, kind) for point, kind in mounts if folder.is_relative_to(point)]
    return max(above, key=lambda mount: len(mount[0].parts))[1]


def _available_memory(meminfo: str) -> int:
    line = next(line for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def _go_complaint() -> str:
    if shutil.which("go") is None:
        return "no go on PATH"
    # Asked inside the module, Go compares its version with what go.mod wants, or fetches a newer one.
    result = subprocess.run(
        ["go", "version"], cwd=paths.GO_MODULE, capture_output=True, text=True, check=False
    )
    return "" if result.returncode == 0 else result.stderr.strip().splitlines()[-1]


def _cgroup_complaint() -> str:
    try:
        mount = cgroups.layout().tracking
    except ClusterError as error:
        return str(error)
    return "" if os.access(mount, os.W_OK) else f"{mount} is read-only; run the container with --privileged"


def _busy(instance: Instance) -> str:
    """Whether something that is no cluster of ours holds this instance's network."""
    own = {found.host_interface for found in instances.every()}
    prefix = instance.node_address.rpartition(".")[0] + "."
    for link in network.host_addresses():
        addresses = [str(info["local"]) for info in link.get("addr_info", ())]
        if link["ifname"] not in own and any(address.startswith(prefix) for address in addresses):
            return f"the network {prefix}0/24 is in use by the interface {link['ifname']}"
    return ""
