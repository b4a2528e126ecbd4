"""The node's mount namespace, kept by a file: mounts of containers outlive a crash of containerd.

What Kubernetes writes at fixed places of a host (/var/lib, /var/log, /run, kernel settings) lands in the
state folder instead. Mounts made inside never reach the host; those of the host still reach the inside.
"""

import subprocess
from pathlib import Path

from cluster import cgroups, paths
from cluster.errors import ClusterError
from cluster.instance import Instance

# The kubelet sets these on its host (setupKernelTunables in pkg/kubelet/cm/container_manager_linux.go); here
# it finds them set already, in files that lie over the kernel's.
_KERNEL_SETTINGS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}
_OWN_FOLDERS = ("run", "var/lib", "var/log")


def file(instance: Instance) -> Path:
    """The file that enters the mount namespace."""
    return _folder(instance) / "namespace"


def commands(instance: Instance, hybrid: Path | None) -> list[list[str]]:
    """What is mounted inside, in order; `hybrid` is where v2 is mounted beside v1."""
    own = instance.state / "node" / "own"
    mounts = [["mount", "--make-rslave", "/"], ["mount", "--make-rshared", "/"]]
    mounts += [["mount", "--bind", str(own / folder), f"/{folder}"] for folder in _OWN_FOLDERS]
    mounts += [
        ["mount", "--bind", str(own / "proc/sys" / name), f"/proc/sys/{name}"] for name in _KERNEL_SETTINGS
    ]
    # runc takes the hybrid mount for a sign that it may use v2, where the controllers are not.
    return [*mounts, ["umount", str(hybrid)]] if hybrid is not None else mounts


def ensure(instance: Instance) -> None:
    """Make the namespace, or make it anew where an interruption or a reboot left half of it."""
    if is_ready(instance):
        return
    remove(instance)
    own = instance.state / "node" / "own"
    for hidden in _OWN_FOLDERS:
        (own / hidden).mkdir(parents=True, exist_ok=True)
    for name, value in _KERNEL_SETTINGS.items():
        paths.write(own / "proc/sys" / name, f"{value}\n")
    folder = _folder(instance)
    folder.mkdir(parents=True, exist_ok=True)
    # A mount namespace can be bound only below a private mount (mount_namespaces(7)).
    _run(["mount", "--bind", str(folder), str(folder)])
    _run(["mount", "--make-private", str(folder)])
    file(instance).touch()
    _run(["unshare", f"--mount={file(instance)}", "--propagation", "slave", "true"])
    for command in commands(instance, cgroups.layout().hybrid):
        _run(["nsenter", f"--mount={file(instance)}", "--", *command])
    _marker(instance).touch()


def is_ready(instance: Instance) -> bool:
    """Whether the namespace was made whole and can be entered."""
    if not _marker(instance).exists():
        return False
    command = ["nsenter", f"--mount={file(instance)}", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def remove(instance: Instance) -> None:
    """Let go of the namespace; its mounts go with the last process in it."""
    _marker(instance).unlink(missing_ok=True)
    mounted = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    for point in (file(instance), _folder(instance)):
        if str(point) in mounted:
            _run(["umount", str(point)])


def _folder(instance: Instance) -> Path:
    return instance.state / "node" / "mounts"


def _marker(instance: Instance) -> Path:
    return instance.state / "node" / "mounts-ready"


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"`{' '.join(command)}` failed: {result.stderr.strip()}")
