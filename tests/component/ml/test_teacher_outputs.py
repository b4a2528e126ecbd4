"""Teachers' outputs are computed once: kept by digest, found again, never half, and always the same."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from compression_contract.methods import AlphaPoint
from compression_jobs.errors import NotFound
from compression_jobs.training import teacher_outputs
from compression_jobs.training.teacher_outputs import OutputStore, Samples
from support import gratings
from support.teaching import HINT, TRAIN, teacher_network

pytestmark = [pytest.mark.paddle, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("features", [(), (HINT,)])
@pytest.mark.parametrize("combine", ["WeightedMean", "ConfidenceWeighted"])
def test_kept_outputs_teach_what_teachers_say_at_the_time(world, combine, features):
    given = world.distillation("wide", "other", combine=combine, features=features)
    losses = []
    for cache in (True, False):
        prepared = world.prepared(given, cache=cache)
        samples = prepared.data.training.samples[[60, 3, 41, 5]]
        losses.append(float(prepared.loss(samples)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_kept_outputs_are_found_again_and_no_teacher_is_asked(world):
    """Proven by taking the teacher away: what was kept is all that a second run needs."""
    world.store_teacher("gone", teacher_network("wide"))
    hint = HINT.model_copy(update={"teacher": "gone/body.2"})
    given = world.distillation("gone", cache=world.cache(), features=(hint,))
    first = world.prepared(given)
    world.remove("gone")
    assert float(world.prepared(given).loss()) == float(first.loss())
    with pytest.raises(NotFound):
        world.prepared(given.model_copy(update={"cache": world.cache()}))


def test_kept_outputs_are_raw_arrays_with_a_manifest(world):
    given = world.distillation(cache=world.cache())
    world.prepared(given)
    keys = world.server.keys(given.cache)
    entry = keys[0].split("/")[0]
    digest = world.server.get(f"{given.cache}/{entry}/_SUCCESS").decode()
    place = f"{entry}/{digest.removeprefix('sha256:')}"
    files = ("_SUCCESS", "manifest.json", "rows-00000.npy")
    assert sorted(keys) == sorted([f"{entry}/_SUCCESS", *(f"{place}/{name}" for name in files)])
    manifest = json.loads(world.server.get(f"{given.cache}/{place}/manifest.json"))
    assert manifest["kind"] == "TeacherOutputs"
    assert manifest["facts"]["key"]["teacher"] == world.teachers["wide"].digest


def test_outputs_are_mapped_into_memory_whether_computed_or_found(world):
    given = world.distillation(cache=world.cache(), features=(HINT,))
    for _ in range(2):
        prepared = world.prepared(given)
        for lesson in (prepared.objective.soft, prepared.objective.imitations[0].lesson):
            assert all(isinstance(shard, np.memmap) for shard in lesson.rows.shards)


def test_another_temperature_or_combination_uses_the_same_outputs(world):
    given = world.distillation(cache=world.cache())
    world.prepared(given)
    before = world.server.keys(given.cache)
    points = (AlphaPoint(at=0, value=0.1),)
    changes = {"temperature": 9.0, "combine": "ConfidenceWeighted", "alpha": points}
    world.prepared(given.model_copy(update=changes))
    assert world.server.keys(given.cache) == before
    world.prepared(given.model_copy(update={"features": (HINT,)}))
    assert set(before) < set(world.server.keys(given.cache))


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "sha256:" + "1" * 64},
        {"reader": "images"},
        {"name": "other"},
        {"code": "sha256:" + "2" * 64},
        {"indices": np.arange(5)},
    ],
)
def test_other_samples_have_other_entries(change):
    given = {
        "split": None,
        "indices": np.arange(6),
        "dataset": "sha256:" + "0" * 64,
        "reader": "npz",
        "name": "train",
    }
    teacher = "sha256:" + "3" * 64
    keys = {
        Samples(**{**given, **changes}).key(teacher, output).digest
        for changes in ({}, change)
        for output in ("", "body.2")
    }
    assert len(keys) == 4


def store_of(world, given):
    prepared = world.prepared(given.model_copy(update={"cache": None}))
    training = prepared.data.training
    samples = Samples(training.split, training.samples, world.dataset.digest, "npz", "train")
    return OutputStore(world.context(given), samples, given.cache)


def test_of_two_writers_both_go_on_with_what_the_first_one_kept(world):
    """Two processors may round otherwise; here the second one's teacher is another one altogether."""
    cache = world.cache()
    found = []
    for name in ("wide", "other"):
        store = store_of(world, world.distillation(name, cache=cache))
        key = store.samples.key(world.teachers["wide"].digest, "")
        rows = store.compute(world.opened(store.context, name), {"": key})[""]
        found.append(rows.of(store.samples.indices))
    assert np.array_equal(*found)


def test_the_same_outputs_are_kept_once(world):
    given = world.distillation(cache=world.cache())
    counts = []
    for _ in range(2):
        store = store_of(world, given)
        key = store.samples.key(world.teachers["wide"].digest, "")
        store.compute(world.opened(store.context, "wide"), {"": key})
        counts.append(len(world.server.keys(given.cache)))
    assert counts[0] == counts[1]


@pytest.mark.parametrize("file", ["rows-00000.npy", "manifest.json"])
def test_damaged_outputs_are_computed_again_and_mended(world, file, caplog):
    given = world.distillation(cache=world.cache())
    good = world.prepared(given)
    (uri,) = [f"{given.cache}/{key}" for key in world.server.keys(given.cache) if key.endswith(file)]
    data = world.server.get(uri)
    world.server.put(uri, data[:-4] + b"\x00\x00\x80\x7f")
    with caplog.at_level(logging.WARNING):
        again = world.prepared(given)
    assert "kept outputs cannot be used" in caplog.text
    assert float(again.loss()) == float(good.loss())
    assert world.server.get(uri) == data


def test_features_that_are_too_large_are_computed_batch_by_batch(world, monkeypatch, caplog):
    given = world.distillation(cache=world.cache(), features=(HINT,))
    kept = world.prepared(given.model_copy(update={"cache": None}))
    monkeypatch.setattr(teacher_outputs, "MAX_BYTES", 4 * TRAIN * gratings.CLASSES)
    with caplog.at_level(logging.INFO):
        mixed = world.prepared(given)
    assert "too large" in caplog.text
    assert not mixed.objective.soft.needs_inputs
    assert mixed.objective.imitations[0].lesson.needs_inputs
    assert float(mixed.loss()) == pytest.approx(float(kept.loss()), rel=1e-5)
