"""Keep one process running: start it, write down who it is, start it again with backoff when it ends.

Runs as `python -S -m cluster.supervisor SPEC`, detaches itself, and lives until SIGTERM. It imports the
standard library and `cluster.processes` alone, so that one for each process costs little memory.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster.processes import Identity, identify, is_alive, stop

_SHORTEST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_HEALTHY_AFTER = 20.0
_LARGEST_LOG = 64 * 2**20


def pause_after(pause: float, ran_for: float) -> float:
    """Seconds until the next start: doubled each time, and short again after a healthy run."""
    return _SHORTEST_PAUSE if ran_for >= _HEALTHY_AFTER else min(pause * 2, _LONGEST_PAUSE)


@dataclass(frozen=True)
class Spec:
    """What to run, and where its record and its log go."""

    name: str
    argv: list[str]
    environment: dict[str, str]
    log: str
    record: str
    digest: str
    grace_seconds: float
    cgroup_procs: str = ""


class Supervisor:
    """The loop around one child."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._restarts = 0

    def run(self) -> None:
        """Run the child until told to stop."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        # Closing a terminal or an interrupt meant for `up` is no reason to end a cluster.
        # (A handler that does nothing, as an ignored signal would stay ignored in the child.)
        signal.signal(signal.SIGHUP, _ignore)
        signal.signal(signal.SIGINT, _ignore)
        if self._spec.cgroup_procs:
            Path(self._spec.cgroup_procs).write_text(str(os.getpid()))
        self._end_orphan()
        pause = _SHORTEST_PAUSE
        while not self._stopping:
            began = time.monotonic()
            code = self._run_once()
            if self._stopping:
                break
            self._restarts += 1
            self._write(None, f"ended with {code}")
            self._rest(pause)
            pause = pause_after(pause, time.monotonic() - began)
        self._write(None, "stopped")

    def _run_once(self) -> int:
        log = Path(self._spec.log)
        if log.exists() and log.stat().st_size > _LARGEST_LOG:
            log.replace(log.with_suffix(".old"))
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                self._spec.argv,
                env=self._spec.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
            )
        self._write(identify(self._child.pid), "running")
        if self._stopping:
            self._child.terminate()
        return self._child.wait()

    def _end_orphan(self) -> None:
        """End the child of a supervisor that was killed: two of one kind would fight."""
        record = read_record(Path(self._spec.record))
        if record and record.get("child"):
            stop(Identity.load(record["child"]), self._spec.grace_seconds)

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < end:
            time.sleep(0.05)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            signal.setitimer(signal.ITIMER_REAL, self._spec.grace_seconds)

    def _kill(self, *_: object) -> None:
        if self._child is not None:
            self._child.kill()

    def _write(self, child: Identity | None, state: str) -> None:
        supervisor = identify(os.getpid())
        record = {
            "supervisor": asdict(supervisor) if supervisor else None,
            "child": asdict(child) if child else None,
            "digest": self._spec.digest,
            "restarts": self._restarts,
            "state": state,
            "since": time.time(),
        }
        path = Path(self._spec.record)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(record))
        part.replace(path)


def read_record(path: Path) -> dict[str, Any] | None:
    """The record that a supervisor wrote; None when there is none."""
    try:
        record = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return record if isinstance(record, dict) else None


def child_of(record: dict[str, Any] | None) -> Identity | None:
    """The running child in a record, if it is really the one."""
    child = Identity.load(record["child"]) if record and record.get("child") else None
    return child if is_alive(child) else None


def supervisor_of(record: dict[str, Any] | None) -> Identity | None:
    """The running supervisor in a record, if it is really the one."""
    supervisor = Identity.load(record["supervisor"]) if record and record.get("supervisor") else None
    return supervisor if is_alive(supervisor) else None


def _ignore(*_: object) -> None:
    pass


def _detach() -> None:
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


def main() -> None:
    """Detach, make sure to be the only one, and run."""
    spec = Spec(**json.loads(Path(sys.argv[1]).read_text()))
    _detach()
    with Path(spec.record).with_suffix(".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        Supervisor(spec).run()


if __name__ == "__main__":
    main()
