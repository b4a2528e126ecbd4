"""How far a training is, as the status shows it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from compression_contract.progress import Progress as Told
from compression_operator.api import CompressionJobStatus
from compression_operator.core.compression.progress import Training, noted
from unit.core.compression.scripts import stored
from unit.core.compression.world import World, check_status

TOLD = Told(step=50, steps=200, epoch=2, seconds_left=90, loss=0.25, samples_per_second=410.5)


@pytest.fixture
def world():
    """A run whose first step trains."""
    world = World(stored())
    world.settle()
    world.end_pods()
    world.settle()
    return world


def training(world, job_name=None):
    seen = world.observe()
    return Training(seen.spec, seen.status, job_name or world.work("ptq")["child"]["jobName"])


def test_a_line_of_a_log_becomes_progress(world):
    before = world.status["progressPercent"]
    status = noted(training(world), TOLD, world.now).to_dict()
    check_status(status)
    step = next(item for item in status["steps"] if item["name"] == "ptq")
    assert step["progress"] == {
        "percent": 25,
        "etaSeconds": 90,
        "epoch": 2,
        "updated": "2026-11-22T10:00:01Z",
        "metrics": [{"name": "loss", "value": "0.25"}, {"name": "samplesPerSecond", "value": "410.5"}],
    }
    assert status["progressPercent"] > before


def test_a_line_without_numbers_is_progress_too(world):
    status = noted(training(world), Told(step=9, steps=3, epoch=10**9), world.now)
    step = next(item for item in status.steps if item.name == "ptq")
    assert (step.progress.percent, step.progress.eta_seconds, step.progress.metrics) == (100, None, ())
    check_status(status.to_dict())


def test_it_is_written_now_and_then_and_only_when_it_has_moved(world):
    world.status = noted(training(world), TOLD, world.now).to_dict()
    further = TOLD.model_copy(update={"step": 60})
    assert noted(training(world), further, world.now + timedelta(seconds=29)) is None
    assert noted(training(world), TOLD, world.now + timedelta(seconds=31)) is None
    assert noted(training(world), further, world.now + timedelta(seconds=31)) is not None


def test_a_pod_that_no_step_waits_for_is_not_heard(world):
    assert noted(training(world, "somebody-else"), TOLD, world.now) is None
    bare = Training(world.observe().spec, CompressionJobStatus(), "x")
    assert noted(bare, TOLD, world.now) is None


def test_a_decision_leaves_progress_as_it_is_and_takes_it_away_with_the_step(world):
    world.status = noted(training(world), TOLD, world.now).to_dict()
    assert world.decide().status is None, "nothing is decided by it"
    world.end_pods()
    world.settle()
    assert "progress" not in world.work("ptq")
