"""A training that was killed goes on from its checkpoint and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.paddle

TESTS = Path(__file__).resolve().parents[2]
STEPS = 36
"""Of the training in support/resumable.py."""


def run(**plan: Any) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(part) for part in (TESTS, TESTS.parent / "jobs"))
    return subprocess.run(
        [sys.executable, str(TESTS / "support" / "resumable.py"), json.dumps(plan)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(
    "quanters",
    [
        None,
        {"weight": "ChannelWiseAbsMax", "activation": "MovingAvgAbsMax"},
        {"weight": "LSQplus", "activation": "LSQplus"},
    ],
    ids=["plain", "fake quantisation", "learned quantisation"],
)
def test_killed_at_any_step_it_ends_with_the_same_bytes(tmp_path: Path, quanters: dict[str, str] | None):
    seed = random.SystemRandom().randrange(2**32)
    die = random.Random(seed).randrange(2, STEPS)
    print(f"seed {seed}: killed before step {die}")

    killed = run(folder=str(tmp_path), quanters=quanters, die=die)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    done = run(folder=str(tmp_path), quanters=quanters, die=None)

    assert done.returncode == 0, done.stderr[-2000:]
    ended = json.loads(done.stdout.strip().splitlines()[-1])
    resumed, undisturbed = ended["resumed"], ended["undisturbed"]
    assert 0 < resumed.pop("resumed") <= die
    assert undisturbed.pop("resumed") == 0
    assert resumed == undisturbed
