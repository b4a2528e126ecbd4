import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from cluster import paths, processes, supervisor

SLEEPS = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]


def until(is_true) -> None:
    end = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def start(tmp_path):
    """Start a supervisor; all that were started are stopped at the end."""
    record = tmp_path / "x.json"

    def begin(argv=SLEEPS) -> Path:
        spec = supervisor.Spec(
            "x", argv, dict(os.environ), str(tmp_path / "x.log"), str(record), "digest", 2.0
        )
        (tmp_path / "x.spec").write_text(json.dumps(asdict(spec)))
        command = [sys.executable, "-S", "-m", "cluster.supervisor", str(tmp_path / "x.spec")]
        environment = os.environ | {"PYTHONPATH": str(paths.PACKAGE.parent)}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        until(lambda: child(record) is not None)
        return record

    yield begin
    processes.stop(supervisor.supervisor_of(supervisor.read_record(record)), 5)
    processes.stop(child(record), 5)


def child(record: Path) -> processes.Identity | None:
    return supervisor.child_of(supervisor.read_record(record))


def test_a_killed_child_is_started_again(start) -> None:
    record = start()
    first = child(record)
    processes.send(first, signal.SIGKILL)
    until(lambda: child(record) not in {None, first})
    assert supervisor.read_record(record)["restarts"] == 1


def test_stopping_the_supervisor_stops_the_child(start) -> None:
    record = start()
    running = child(record)
    processes.stop(supervisor.supervisor_of(supervisor.read_record(record)), 5)
    assert not processes.is_alive(running)
    assert supervisor.read_record(record)["state"] == "stopped"


def test_a_child_that_does_not_heed_is_killed(start) -> None:
    record = start(
        [
            sys.executable,
            "-S",
            "-c",
            "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)",
        ]
    )
    running = child(record)
    processes.stop(supervisor.supervisor_of(supervisor.read_record(record)), 20)
    assert not processes.is_alive(running)


def test_a_second_supervisor_gives_way(start) -> None:
    record = start()
    first = supervisor.read_record(record)
    start()
    assert supervisor.read_record(record) == first
    assert child(record) is not None


def test_the_child_of_a_killed_supervisor_is_ended_before_another_starts(start) -> None:
    record = start()
    orphan = child(record)
    processes.send(supervisor.supervisor_of(supervisor.read_record(record)), signal.SIGKILL)
    until(lambda: supervisor.supervisor_of(supervisor.read_record(record)) is None)
    start()
    until(lambda: child(record) not in {None, orphan})
    assert not processes.is_alive(orphan)


def test_a_closed_terminal_and_an_interrupt_end_nothing(start) -> None:
    record = start()
    running = child(record)
    supervising = supervisor.supervisor_of(supervisor.read_record(record))
    for number in (signal.SIGHUP, signal.SIGINT):
        processes.send(supervising, number)
    assert os.getsid(supervising.pid) == supervising.pid
    processes.send(running, signal.SIGKILL)
    until(lambda: child(record) not in {None, running})


def test_pauses_grow_to_a_limit_and_shrink_after_a_healthy_run() -> None:
    pauses = list(
        itertools.accumulate(range(12), lambda pause, _: supervisor.pause_after(pause, 0.0), initial=0.2)
    )
    assert pauses == sorted(pauses)
    assert pauses[1] == 2 * pauses[0]
    assert pauses[-1] == pauses[-2] == supervisor._LONGEST_PAUSE
    assert supervisor.pause_after(pauses[-1], supervisor._HEALTHY_AFTER) == pauses[0]


def test_no_record_is_no_process(tmp_path) -> None:
    assert supervisor.read_record(tmp_path / "none.json") is None
    assert supervisor.child_of(None) is None
    assert supervisor.supervisor_of({"supervisor": None}) is None
