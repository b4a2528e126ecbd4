"""A process named so that a recycled process id is never mistaken for it: id, start time, and boot."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Identity:
    """One process: `started` is in clock ticks since boot (proc(5), stat field 22)."""

    pid: int
    started: int
    boot: str

    @classmethod
    def load(cls, value: dict[str, Any]) -> "Identity":
        """Read it back from JSON."""
        return cls(int(value["pid"]), int(value["started"]), str(value["boot"]))


def parse_stat(stat: str) -> tuple[str, int]:
    """State letter and start time out of a /proc/PID/stat line; the name in it may contain anything."""
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def identify(pid: int) -> Identity | None:
    """The identity of a running process; None when there is none, or only its unreaped rest."""
    try:
        state, started = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    if state in "ZX":
        return None
    return Identity(pid, started, Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def is_alive(identity: Identity | None) -> bool:
    """Whether exactly this process still runs."""
    return identity is not None and identify(identity.pid) == identity


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it is gone. The descriptor pins it between look and signal."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(identity):
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)
        return True
    finally:
        os.close(descriptor)


def stop(identity: Identity | None, grace_seconds: float) -> None:
    """Ask exactly this process to end, wait, and kill it when it does not."""
    if identity is None or not send(identity, signal.SIGTERM):
        return
    if not _gone(identity, grace_seconds):
        send(identity, signal.SIGKILL)
        _gone(identity, 5.0)


def _gone(identity: Identity, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while is_alive(identity):
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    return True
