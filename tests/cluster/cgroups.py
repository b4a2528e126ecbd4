"""The cluster's own cgroup: `system` for its processes, `pods` for the kubelet's; v1, hybrid and v2.

Belonging to it is a record that the kernel keeps: whatever the containers' runtime started is found here,
however it was started, and nothing else is. On a machine with v2 alone this is untested.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError

SYSTEM, PODS = "system", "pods"
# The hierarchies of v1 that can tell which processes are ours without limiting them.
_TRACKING = ("pids", "freezer", "memory")
_DELEGATED = ("cpu", "cpuset", "io", "memory", "pids")


@dataclass(frozen=True)
class Layout:
    """How cgroups are mounted: `hierarchies` are mount points, all of v1's or the only one of v2."""

    version: int
    hierarchies: tuple[Path, ...]
    tracking: Path
    hybrid: Path | None = None


def parse(mountinfo: str) -> Layout:
    """The layout out of /proc/self/mountinfo (proc(5)); raises ClusterError where there are no cgroups."""
    mounts = [
        (fields[4], line.split(" - ")[1].split())
        for line in mountinfo.splitlines()
        if (fields := line.split())
    ]
    second = [Path(point) for point, (kind, *_) in mounts if kind == "cgroup2"]
    first = {Path(point): options[-1].split(",") for point, (kind, *options) in mounts if kind == "cgroup"}
    if first:
        for name in _TRACKING:
            tracking = next((point for point, controllers in first.items() if name in controllers), None)
            if tracking is not None:
                return Layout(1, tuple(first), tracking, second[0] if second else None)
    elif second:
        return Layout(2, (second[0],), second[0])
    raise ClusterError(
        "no cgroups are mounted; a container needs --privileged or /sys/fs/cgroup from its host"
    )


def layout() -> Layout:
    """This machine's layout."""
    return parse(Path("/proc/self/mountinfo").read_text())


def system_procs(cgroup: str) -> Path:
    """The file that takes a process into the `system` part."""
    return layout().tracking / cgroup / SYSTEM / "cgroup.procs"


def ensure_system(cgroup: str) -> None:
    """Make the part for the cluster's own processes."""
    (layout().tracking / cgroup / SYSTEM).mkdir(parents=True, exist_ok=True)


def ensure_pods(cgroup: str) -> None:
    """Make the part for pods in every hierarchy, with all controllers that the kubelet sets limits by."""
    found = layout()
    for hierarchy in found.hierarchies:
        folder = hierarchy
        for part in (*Path(cgroup).parts, PODS):
            if found.version == 2:
                _delegate(folder)
            folder = folder / part
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)


def members(cgroup: str) -> set[int]:
    """The ids of all processes in the cgroup and below."""
    found: set[int] = set()
    for folder in _below(layout().tracking / cgroup):
        with contextlib.suppress(OSError):
            found.update(map(int, (folder / "cgroup.procs").read_text().split()))
    return found


def remove(cgroup: str) -> None:
    """Remove the cgroup from every hierarchy; its processes must have ended."""
    for hierarchy in layout().hierarchies:
        own = hierarchy / cgroup
        for folder in [*_below(own), own]:
            _remove_one(folder)
        with contextlib.suppress(OSError):
            own.parent.rmdir()


def _remove_one(folder: Path) -> None:
    # The kernel lets go of a cgroup a moment after its last process has ended.
    for _ in range(50):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ClusterError(f"the cgroup {folder} is still busy; see its cgroup.procs")


def _below(folder: Path) -> Iterator[Path]:
    """Folders below, the deepest first, the folder itself last."""
    if not folder.is_dir():
        return
    for child in folder.iterdir():
        if child.is_dir():
            yield from _below(child)
    yield folder


def _inherit_cpuset(folder: Path) -> None:
    # A new cpuset of v1 is empty, and takes no process until it has processors and memory.
    for name in ("cpuset.cpus", "cpuset.mems"):
        own, parent = folder / name, folder.parent / name
        if own.exists() and parent.exists() and not own.read_text().strip():
            with contextlib.suppress(OSError):
                own.write_text(parent.read_text())


def _delegate(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    enabled = (folder / "cgroup.subtree_control").read_text().split()
    wanted = [f"+{name}" for name in _DELEGATED if name in available and name not in enabled]
    if not wanted:
        return
    try:
        (folder / "cgroup.subtree_control").write_text(" ".join(wanted))
    except OSError as error:
        raise ClusterError(
            f"cannot enable {' '.join(wanted)} in {folder}: {error.strerror}; in a container, run it with "
            "--cgroupns=host, or move its processes into a cgroup of their own first"
        ) from error
