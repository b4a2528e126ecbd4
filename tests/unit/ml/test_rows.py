"""Rows on disk: what was written is found again by sample, whatever the parts and the shards."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compression_jobs.errors import InvalidData
from compression_jobs.training import rows
from compression_jobs.training.rows import Layout, Writer, mapped


def layout(count, shape, per_shard):
    return Layout(count, shape, per_shard)


def written(folder, values, per_shard, part):
    plan = layout(len(values), values.shape[1:], per_shard)
    writer = Writer(folder, plan)
    for start in range(0, len(values), part):
        writer.add(values[start : start + part])
    writer.close()
    return plan


@given(
    count=st.integers(1, 40),
    per_shard=st.integers(1, 50),
    part=st.integers(1, 50),
    shape=st.sampled_from([(), (3,), (2, 1, 2)]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_each_sample_finds_its_row(tmp_path_factory, count, per_shard, part, shape, seed):
    folder, random = tmp_path_factory.mktemp("rows"), np.random.default_rng(seed)
    samples = np.sort(random.permutation(100)[:count])
    values = random.normal(size=(count, *shape)).astype(np.float32)
    plan = written(folder, values, per_shard, part)
    found = mapped(folder, plan, samples, 100)
    order = random.permutation(count)
    assert np.array_equal(found.of(samples[order]), values[order])
    assert found.shape == shape


def test_the_bytes_do_not_depend_on_the_parts(tmp_path: Path):
    values = np.arange(30, dtype=np.float32).reshape(10, 3)
    for name, part in (("a", 3), ("b", 10)):
        (tmp_path / name).mkdir()
        plan = written(tmp_path / name, values, 4, part)
    assert len(plan.files) == 3
    for file in plan.files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_batch_reads_its_rows_and_no_more(tmp_path: Path):
    values = np.zeros((1000, 8), np.float32)
    found = mapped(tmp_path, written(tmp_path, values, 300, 128), np.arange(1000), 1000)
    assert all(isinstance(shard, np.memmap) for shard in found.shards)
    batch = found.of(np.array([999, 0, 301]))
    assert type(batch) is np.ndarray
    assert batch.nbytes == 3 * 8 * 4


def test_a_sample_without_a_row_is_not_given_another_s(tmp_path: Path):
    found = mapped(tmp_path, written(tmp_path, np.zeros((3, 2), np.float32), 10, 10), np.array([1, 3, 5]), 6)
    with pytest.raises(IndexError):
        found.of(np.array([1, 2]))


def test_shards_are_of_bounded_size():
    plan = Layout.of(60_000, (64, 32, 32))
    assert plan.rows_per_shard * 64 * 32 * 32 * 4 <= rows.SHARD_BYTES
    assert plan.bytes == 60_000 * 64 * 32 * 32 * 4
    assert sum(plan.lengths()) == 60_000
    assert len(Layout.of(5, (10,)).files) == 1


@pytest.mark.parametrize("count", [9, 11])
def test_a_writer_holds_what_its_layout_says(tmp_path: Path, count):
    writer = Writer(tmp_path, layout(10, (2,), 4))
    with pytest.raises(ValueError, match="row"):  # noqa: PT012 - either call may notice
        writer.add(np.zeros((count, 2), np.float32))
        writer.close()


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((10, 2), np.float64), "float64"),
        (np.zeros((9, 2), np.float32), "should be"),
        (np.asfortranarray(np.zeros((10, 2), np.float32)), "should be"),
        (np.array([{"a": 1}] * 10, dtype=object), "objects"),
    ],
)
def test_another_array_in_a_shard_s_place_is_refused(tmp_path: Path, array, why):
    np.save(tmp_path / "rows-00000.npy", array, allow_pickle=True)
    with pytest.raises(InvalidData, match=why) as caught:
        mapped(tmp_path, layout(10, (2,), 10), np.arange(10), 10)
    assert caught.value.reason == "ArraysInvalid"
