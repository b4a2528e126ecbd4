"""The supervised processes of one instance: started, compared with what is wanted, and stopped.

Owns: specs, records and locks in the state folder's `run`. Must not know what a process is for.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cluster import binaries, cgroups, network, paths, processes, supervisor
from cluster.errors import ClusterError
from cluster.instance import Instance

_GRACE_SECONDS = 8.0


@dataclass(frozen=True)
class Service:
    """One process: `argv[0]` is a path; `mounts` names a file of a mount namespace to run in.

    `configuration` is the text of the files that it reads: a change of it is a reason for a restart.
    """

    name: str
    argv: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    mounts: Path | None = None
    configuration: str = ""


def built(name: str, argv: Sequence[str], files: Mapping[Path, str]) -> Service:
    """A service whose program was built from the Go module, with those of the files that `argv` names."""
    program = str(binaries.path(argv[0]))
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return Service(name, [program, *argv[1:]], environment, configuration=named(argv, files))


def named(argv: Sequence[str], files: Mapping[Path, str]) -> str:
    """The text of those of the files that a command line names."""
    return "\n".join(text for path, text in files.items() if any(str(path) in argument for argument in argv))


@dataclass(frozen=True)
class Condition:
    """How a service is: `pid` 0 when its process is not running now."""

    name: str
    pid: int
    restarts: int
    state: str
    since: float
    resident_bytes: int


def start(instance: Instance, service: Service) -> bool:
    """Make the service run as wanted; False when it already did."""
    spec = _spec(instance, service)
    record = supervisor.read_record(Path(spec.record))
    running = supervisor.supervisor_of(record)
    if running is not None and record is not None and record["digest"] == spec.digest:
        return False
    stop(instance, service.name)
    _end_strays(instance, service)
    path = _file(instance, service.name, "spec")
    paths.write(path, json.dumps(asdict(spec)), mode=0o600)
    instance.log.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(paths.PACKAGE.parent)}
    command = [sys.executable, "-S", "-m", "cluster.supervisor", str(path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(
            f"the supervisor of {service.name} did not start:\n{result.stderr.strip()[-1000:]}"
        )
    return True


def stop(instance: Instance, name: str) -> None:
    """Stop a service: its supervisor, and its process should the supervisor have been killed."""
    path = _file(instance, name, "json")
    # The supervisor waits for its child, so it gets longer than the child.
    processes.stop(supervisor.supervisor_of(supervisor.read_record(path)), _GRACE_SECONDS + 3)
    processes.stop(supervisor.child_of(supervisor.read_record(path)), _GRACE_SECONDS)


def kill(instance: Instance) -> None:
    """End every service at once, for what is about to be deleted; supervisors first: none may come back."""
    records = [supervisor.read_record(_file(instance, name, "json")) for name in names(instance)]
    for supervising in map(supervisor.supervisor_of, records):
        if supervising is not None:
            processes.send(supervising, signal.SIGKILL)
    for name in names(instance):
        processes.stop(supervisor.child_of(supervisor.read_record(_file(instance, name, "json"))), 0.0)


def names(instance: Instance) -> list[str]:
    """The services that were ever started in this instance."""
    return sorted(path.name.removesuffix(".spec") for path in (instance.state / "run").glob("*.spec"))


def condition(instance: Instance, name: str) -> Condition:
    """How a service is now."""
    record = supervisor.read_record(_file(instance, name, "json")) or {}
    child = supervisor.child_of(record)
    state = str(record.get("state", "not started"))
    if (child is None and state == "running") or supervisor.supervisor_of(record) is None:
        state = "not running"
    resident = _resident(child.pid) if child else 0
    return Condition(
        name, child.pid if child else 0, record.get("restarts", 0), state, record.get("since", 0.0), resident
    )


def any_runs(instance: Instance) -> bool:
    """Whether any process of the instance runs."""
    return any(condition(instance, name).pid for name in names(instance))


def is_wanted(instance: Instance, service: Service) -> bool:
    """Whether the service runs, under a live supervisor, as it would be started now."""
    record = supervisor.read_record(_file(instance, service.name, "json"))
    if record is None or supervisor.supervisor_of(record) is None or supervisor.child_of(record) is None:
        return False
    return bool(record["digest"] == _spec(instance, service).digest)


def last_words(instance: Instance, name: str, lines: int = 12) -> str:
    """The end of a service's log."""
    try:
        return "\n".join((instance.log / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"


def _spec(instance: Instance, service: Service) -> supervisor.Spec:
    argv = [*_entering(instance, service.mounts), *service.argv]
    decides = [argv, sorted(service.environment.items()), service.configuration]
    digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
    return supervisor.Spec(
        name=service.name,
        argv=argv,
        environment=service.environment,
        log=str(instance.log / f"{service.name}.log"),
        record=str(_file(instance, service.name, "json")),
        digest=digest[:16],
        grace_seconds=_GRACE_SECONDS,
        cgroup_procs=str(cgroups.system_procs(instance.cgroup)),
    )


def _end_strays(instance: Instance, service: Service) -> None:
    """End what a supervisor started and was killed before it could write down."""
    wanted = "\0".join([*service.argv, ""]).encode()
    for pid in cgroups.members(instance.cgroup):
        identity = processes.identify(pid)
        try:
            is_same = Path(f"/proc/{pid}/cmdline").read_bytes() == wanted
        except (FileNotFoundError, ProcessLookupError):
            continue
        if is_same:
            processes.stop(identity, _GRACE_SECONDS)


def _entering(instance: Instance, mounts: Path | None) -> list[str]:
    enter = network.entering(instance)
    return enter if mounts is None else [*enter[:-1], f"--mount={mounts}", enter[-1]]


def _file(instance: Instance, name: str, suffix: str) -> Path:
    return instance.state / "run" / f"{name}.{suffix}"


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0
