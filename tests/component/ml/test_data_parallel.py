"""Two processes that train one network, as the pods of an Indexed Job do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compression_contract.exitcodes import ExitClass, ExitCode, classify
from compression_contract.inputs import StageInput
from support import stages, trainings
from support.seaweed import SeaweedFS
from support.trainings import Running

pytestmark = pytest.mark.paddle

TESTS = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port with a free one behind it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
                return port


@contextlib.contextmanager
def both(folder: Path, document: StageInput, server: SeaweedFS) -> Iterator[tuple[Running, Running]]:
    master = f"127.0.0.1:{free_port()}"
    with contextlib.ExitStack() as stack:
        first, second = (
            stack.enter_context(
                trainings.running(
                    "distill",
                    folder / str(rank),
                    document,
                    server.writer,
                    JOB_COMPLETION_INDEX=str(rank),
                    COMPRESSION_MASTER=master,
                )
            )
            for rank in (0, 1)
        )
        yield first, second


def test_two_replicas_learn_what_one_would(tmp_path: Path):
    path = os.pathsep.join(str(part) for part in (TESTS, TESTS.parent / "jobs"))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    master = f"127.0.0.1:{free_port()}"
    processes = [
        subprocess.Popen(
            [sys.executable, str(TESTS / "support/replica.py"), str(rank), master],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    first, second = (
        json.loads(process.communicate(timeout=120)[0].splitlines()[-1]) for process in processes
    )
    assert first["together"] == second["together"]
    # Different seeds: the second one took over the first one's weights at the start.
    for name, alone in first["alone"].items():
        if "variance" not in name:  # of half a batch it is another one
            # The mean of two means, of eight samples and of seven, is near the mean of fifteen.
            near = 1e-3 if "mean" in name else 1e-5
            assert first["together"][name] == pytest.approx(alone, abs=near), name


def test_a_killed_replica_ends_all_and_the_next_attempt_goes_on(
    object_store: SeaweedFS, bucket: str, tmp_path: Path
):
    data = trainings.dataset(object_store, f"{bucket}/data", tmp_path / "data")
    given = trainings.distill(data, epochs=25, replicas=2)
    document = stages.stage_input(given, object_store.endpoint, f"{bucket}/out", checkpoint_seconds=0.1)

    with both(tmp_path / "first", document, object_store) as (first, second):
        first.wait_for('"checkpoint kept"')
        second.process.send_signal(signal.SIGKILL)
        ended = first.ended()
    assert classify(ended.code) is ExitClass.RETRYABLE, ended.log[-2000:]
    assert ended.reason == "PeerLost"

    with both(tmp_path / "again", document, object_store) as (first, second):
        one, other = first.ended(), second.ended()
    assert (one.code, other.code) == (0, 0), (one.log[-2000:], other.log[-2000:])
    assert (other.result.rank, other.result.artifact) == (1, None)
    assert one.result.facts.resumed_at_step > 0
    assert '"replicas": 2' in one.log
    assert set(object_store.keys(f"{bucket}/out")) >= {"weights.npz", "log.jsonl", "log-1.jsonl"}


def test_a_replica_whose_peer_never_comes_gives_up(object_store: SeaweedFS, bucket: str, tmp_path: Path):
    data = trainings.dataset(object_store, f"{bucket}/data", tmp_path / "data")
    document = stages.stage_input(
        trainings.distill(data, replicas=2), object_store.endpoint, f"{bucket}/lonely"
    )
    alone = {"COMPRESSION_MASTER": f"127.0.0.1:{free_port()}", "COMPRESSION_PEER_SECONDS": "0.5"}
    with trainings.running(
        "distill", tmp_path / "alone", document, object_store.writer, JOB_COMPLETION_INDEX="1", **alone
    ) as lonely:
        ended = lonely.ended()
    assert (ended.code, ended.reason) == (ExitCode.TEMPORARY, "PeersMissing"), ended.log[-2000:]
