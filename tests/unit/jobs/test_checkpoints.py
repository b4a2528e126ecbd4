"""What is kept of a training comes back to the last bit, and what is damaged is passed over."""

from pathlib import Path

import numpy as np
import pytest

from compression_jobs.checkpoint_places import Folders
from compression_jobs.checkpoints import Checkpoints, Snapshot

HASH = "sha256:" + "a" * 64


def checkpoints(folder: Path, seconds: float = 0.0, input_hash: str = HASH) -> Checkpoints:
    return Checkpoints(Folders(folder, folder), input_hash, seconds, folder / "scratch")


def snapshot(step: int) -> Snapshot:
    random = np.random.RandomState(step)
    arrays = {"network/a.weight": random.randn(3, 2).astype(np.float32), "count": np.array(step)}
    return Snapshot(step, arrays, {"losses": [0.1, 1 / 3], "nested": {"on": True}})


def keep(kept: Checkpoints, *steps: int) -> None:
    for step in steps:
        kept.keep(snapshot(step))
        kept.settle()


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path):
    keep(checkpoints(tmp_path), 7)
    (found,) = checkpoints(tmp_path).stored()
    assert (found.step, found.values) == (7, snapshot(7).values)
    assert {name: array.tobytes() for name, array in found.arrays.items()} == {
        name: array.tobytes() for name, array in snapshot(7).arrays.items()
    }


def test_the_last_two_are_kept_and_the_newest_comes_first(tmp_path: Path):
    keep(checkpoints(tmp_path), 1, 2, 3)
    assert [found.step for found in checkpoints(tmp_path).stored()] == [3, 2]


def test_who_goes_on_replaces_the_older_one_first(tmp_path: Path):
    keep(checkpoints(tmp_path), 1, 2, 3)
    resumed = checkpoints(tmp_path)
    next(resumed.stored())
    keep(resumed, 4)
    assert [found.step for found in checkpoints(tmp_path).stored()] == [4, 3]


@pytest.mark.parametrize("file", ["arrays.npz", "values.json", "manifest.json", "_SUCCESS"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, file: str, caplog: pytest.LogCaptureFixture):
    keep(checkpoints(tmp_path), 1, 2)
    damaged = tmp_path / "1" / file
    if file == "_SUCCESS":
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[:40])
    assert [found.step for found in checkpoints(tmp_path).stored()] == [1]
    assert file == "_SUCCESS" or "a checkpoint is passed over" in caplog.text


def test_one_of_another_input_is_none_of_ours(tmp_path: Path):
    keep(checkpoints(tmp_path), 1)
    assert list(checkpoints(tmp_path, input_hash="sha256:" + "b" * 64).stored()) == []


def test_none_is_due_before_its_time(tmp_path: Path):
    assert checkpoints(tmp_path, seconds=0).due()
    assert not checkpoints(tmp_path, seconds=3600).due()


def test_clearing_leaves_none(tmp_path: Path):
    kept = checkpoints(tmp_path)
    keep(kept, 1, 2)
    kept.clear()
    assert list(checkpoints(tmp_path).stored()) == []


def test_a_place_that_fails_does_not_end_the_training(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "0").write_text("in the way")
    keep(checkpoints(tmp_path), 1)
    assert "a checkpoint could not be kept" in caplog.text
