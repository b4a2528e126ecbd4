import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from cluster import processes


@pytest.fixture
def sleeper():
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("name", ["cat", "a b", "x) R 1 (y", "((("])
def test_a_name_cannot_disturb_the_fields(name: str) -> None:
    rest = " ".join(str(number) for number in range(4, 53))
    assert processes.parse_stat(f"17 ({name}) S {rest}\n") == ("S", 22)


def test_a_running_process_is_alive(sleeper) -> None:
    assert processes.is_alive(processes.identify(sleeper.pid))
    assert processes.identify(os.getpid()) == processes.identify(os.getpid())


def test_an_ended_process_is_not_alive_though_nobody_reaped_it(sleeper) -> None:
    identity = processes.identify(sleeper.pid)
    processes.stop(identity, 5)
    assert sleeper.returncode is None
    assert not processes.is_alive(identity)
    assert processes.identify(sleeper.pid) is None


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_a_process_that_took_over_an_id_is_never_signalled(sleeper, change) -> None:
    recycled = dataclasses.replace(processes.identify(sleeper.pid), **change)
    assert not processes.is_alive(recycled)
    assert not processes.send(recycled, signal.SIGKILL)
    processes.stop(recycled, 0)
    assert sleeper.poll() is None


def test_one_that_does_not_heed_is_killed() -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        processes.stop(processes.identify(process.pid), 0.1)
        assert process.wait() == -signal.SIGKILL


def test_an_identity_survives_json(sleeper) -> None:
    identity = processes.identify(sleeper.pid)
    assert processes.Identity.load(dataclasses.asdict(identity)) == identity
