"""Trainings that are ended and tried again, as processes on a real S3."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from compression_contract import progress
from compression_contract.exitcodes import SIGTERM_CODE, ExitCode
from compression_contract.inputs import DistillInput, StageInput
from compression_contract.methods import DatasetInput
from support import stages, trainings
from support.seaweed import SeaweedFS

pytestmark = pytest.mark.paddle


@dataclass
class World:
    """A bucket with a dataset."""

    server: SeaweedFS
    bucket: str
    folder: Path
    data: DatasetInput

    def document(self, name: str, parameters: DistillInput, **other: object) -> StageInput:
        return stages.stage_input(parameters, self.server.endpoint, f"{self.bucket}/{name}", **other)


@pytest.fixture(scope="module")
def world(object_store: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("interruptions")
    bucket = object_store.bucket("interruptions")
    data = trainings.dataset(object_store, f"{bucket}/data", folder / "data")
    return World(object_store, bucket, folder, data)


def test_sigterm_leaves_a_checkpoint_that_the_next_attempt_goes_on_from(world: World):
    given = trainings.distill(world.data, epochs=8)
    document = world.document("resumed", given, checkpoint_seconds=3600)
    first, second = world.folder / "first", world.folder / "second"
    with trainings.running("distill", first, document, world.server.writer) as attempt:
        attempt.wait_for('"epoch done"')
        attempt.process.send_signal(signal.SIGTERM)
        ended = attempt.ended()
    assert (ended.code, ended.reason) == (SIGTERM_CODE, "Terminated"), ended.log[-2000:]
    kept = {name.split("/")[0] for name in world.server.keys(f"{world.bucket}/resumed-checkpoint")}
    assert kept == {"0"}

    again = stages.run("distill", second, document, world.server.writer)
    assert again.code == 0, again.log[-2000:]
    assert 0 < again.result.facts.resumed_at_step < again.result.facts.steps
    assert again.result.facts.samples_per_second > 0
    assert world.server.keys(f"{world.bucket}/resumed-checkpoint") == []

    undisturbed = stages.run(
        "distill", world.folder / "undisturbed", world.document("undisturbed", given), world.server.writer
    )
    assert undisturbed.result.facts.resumed_at_step == 0
    assert undisturbed.result.artifact.digest == again.result.artifact.digest
    told = progress.newest(undisturbed.log)
    assert (told.step, told.steps, told.epoch) == (told.steps, undisturbed.result.facts.steps, 8)


def test_a_damaged_checkpoint_costs_time_only(world: World):
    given = trainings.distill(world.data, epochs=1)
    document = world.document("damaged", given, checkpoint_seconds=0.001)
    for slot in ("0", "1"):
        place = f"{world.bucket}/damaged-checkpoint/{slot}"
        world.server.put(f"{place}/manifest.json", b"{}")
        world.server.put(f"{place}/_SUCCESS", b"sha256:" + b"0" * 64)
    ended = stages.run("distill", world.folder / "damaged", document, world.server.writer)
    assert (ended.code, ended.result.facts.resumed_at_step) == (ExitCode.SUCCESS, 0), ended.log[-2000:]
    assert ended.log.count("a checkpoint is passed over") == 2
