"""Bringing a cluster up and taking it down, as steps that look at what is there and do what is missing.

Owns: the order. Each step may be interrupted anywhere and run again; a finished one changes nothing.
"""

import contextlib
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from cluster import (
    binaries,
    cgroups,
    control_plane,
    identities,
    network,
    node,
    paths,
    preflight,
    processes,
    progress,
    readiness,
    services,
)
from cluster import (
    instance as instances,
)
from cluster.errors import ClusterError
from cluster.instance import Instance
from cluster.progress import Report, Step
from cluster.services import Service

_START_ORDER = ("etcd", "apiserver", "controller-manager")


def up(instance: Instance, console: Console | None = None, beside: Sequence[Step] = ()) -> bool:
    """Bring it up; False when it was up already. Raises ClusterError, MissingRequirementError.

    Steps given as `beside` run in the same display and at the same time, and when it was up already, too.
    """
    with _alone(instance):
        if _removal_mark(instance).exists():
            # What an interrupted removal left is no base to build on: keys may have lost their authority.
            _take_down(instance)
            instances.record(instance)
        if is_up(instance):
            if beside:
                progress.show(beside, console)
            return False
        if not services.any_runs(instance):
            # Later, the memory that is missing may be what the cluster itself uses.
            preflight.check(instance)
        steps = _control_plane_steps(instance)
        if not instance.control_plane_only:
            steps += node.steps(instance)
        progress.show([*steps, *beside], console)
        return True


def is_up(instance: Instance) -> bool:
    """Whether every process runs as it would be started now, and the API server and the node are ready."""
    if binaries.missing(binaries.needed(instance)):
        return False
    wanted = control_plane_services(instance)
    if not instance.control_plane_only:
        if not node.is_prepared(instance):
            return False
        wanted = [*wanted, *node.wanted(instance)]
    if not network.is_up(instance) or not all(services.is_wanted(instance, each) for each in wanted):
        return False
    return readiness.api_server(instance) and (instance.control_plane_only or node.is_ready(instance))


def down(instance: Instance) -> None:
    """End and remove everything of the instance; caches stay. May be interrupted and run again."""
    with _alone(instance):
        if instance.state.exists():
            _removal_mark(instance).touch()
        _take_down(instance)
        _lock_file(instance).unlink()


def control_plane_services(instance: Instance) -> list[Service]:
    """What runs in every cluster."""
    commands = (
        control_plane.etcd(instance),
        control_plane.api_server(instance),
        control_plane.controller_manager(instance),
    )
    files = control_plane.files(instance)
    return [services.built(name, argv, files) for name, argv in zip(_START_ORDER, commands, strict=True)]


def _control_plane_steps(instance: Instance) -> list[Step]:
    return [
        Step("control plane binaries", lambda report: binaries.build(binaries.CONTROL_PLANE, report)),
        Step("certificates", lambda _: _certificates(instance)),
        Step("network", lambda _: _network(instance)),
        Step(
            "control plane",
            lambda report: _control_plane(instance, report),
            after=("control plane binaries", "certificates", "network"),
        ),
    ]


def _certificates(instance: Instance) -> str:
    identities.ensure(instance)
    for path, text in control_plane.files(instance).items():
        paths.write(path, text)
    return f"for {instance.node_address}"


def _network(instance: Instance) -> str:
    network.ensure(instance)
    cgroups.ensure_system(instance.cgroup)
    return f"{instance.namespace} at {instance.node_address}"


def _control_plane(instance: Instance, report: Report) -> str:
    *storage_and_api, controller_manager = control_plane_services(instance)
    for service in storage_and_api:
        services.start(instance, service)
    report("waiting for the API server")
    readiness.until(instance, "apiserver", "the API server was ready", lambda: readiness.api_server(instance))
    services.start(instance, controller_manager)
    report("waiting for the controller manager")
    readiness.until(
        instance,
        "controller-manager",
        "the controller manager made the default service account",
        lambda: readiness.default_account(instance),
    )
    return instance.url


def _take_down(instance: Instance) -> None:
    services.kill(instance)
    _end_members(instance)
    node.unmount(instance)
    network.remove(instance)
    cgroups.remove(instance.cgroup)
    _remove_state(instance)


def _removal_mark(instance: Instance) -> Path:
    return instance.state / "removing"


def _end_members(instance: Instance, limit_seconds: float = 20.0) -> None:
    """End what the cgroup still holds: containers and their shims, which no supervisor started."""
    end = time.monotonic() + limit_seconds
    while members := cgroups.members(instance.cgroup):
        identities = [identity for pid in members if (identity := processes.identify(pid))]
        # Looked at again, a process that took over an id in between is seen not to belong here.
        members = cgroups.members(instance.cgroup)
        for identity in identities:
            if identity.pid in members:
                processes.send(identity, signal.SIGKILL)
        if time.monotonic() > end:
            raise ClusterError(
                f"processes {sorted(members)} of {instance.name} do not end; look at them with ps"
            )
        time.sleep(0.05)


def _remove_state(instance: Instance) -> None:
    state = instance.state
    mounted = [
        line.split()[4]
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
        if line.split()[4].startswith(f"{state}/")
    ]
    if mounted:
        raise ClusterError(f"still mounted below {state}: {', '.join(mounted)}; unmount and run down again")
    # The record and the mark go last, so that an interrupted removal can be taken up again.
    for child in state.iterdir() if state.exists() else ():
        if child.name not in {"instance.json", _removal_mark(instance).name}:
            shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
    shutil.rmtree(state, ignore_errors=True)


def sweep() -> list[str]:
    """Take down what a killed test run left behind; returns the names."""
    left = instances.abandoned()
    for found in left:
        down(found)
    return [found.name for found in left]


@contextlib.contextmanager
def _alone(instance: Instance) -> Iterator[None]:
    with paths.lock(_lock_file(instance)):
        yield


def _lock_file(instance: Instance) -> Path:
    # Beside the state folder, as it must be there while that is removed.
    return paths.states() / f".{instance.name}.lock"
