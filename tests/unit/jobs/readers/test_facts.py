"""Facts of datasets: what contradicts itself is refused, and old manifests keep their digest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from compression_jobs.readers.base import SplitFiles
from compression_jobs.readers.facts import DatasetFacts
from compression_jobs.readers.ragged import Rows

IMAGES = {"inputShape": [1, 8, 8], "numClasses": 3, "splits": {"train": 5}, "mean": [0.5], "std": [0.5]}


def test_facts_of_classified_images_are_written_as_before_other_tasks_were_known():
    written = DatasetFacts.model_validate(IMAGES).wire()
    assert written == {**IMAGES, "reader": "npz", "classes": [], "source": ""}


@pytest.mark.parametrize(
    "change",
    [
        {"targets": "Boxes", "numClasses": 1},
        {"targets": "Symbols", "alphabet": ["a", "b", "c"]},
        {"inputShape": [7], "inputType": "int64", "vocabulary": 100, "mean": [], "std": []},
        {"inputShape": [2, 9], "mean": [0, 0], "std": [1, 1]},
        {"logMel": {"sampleRate": 8000}},
    ],
)
def test_what_was_written_is_read(change):
    facts = DatasetFacts.model_validate({**IMAGES, **change})
    assert DatasetFacts.model_validate(facts.wire()) == facts


@pytest.mark.parametrize(
    "change",
    [
        {"inputShape": [1, 2, 3, 4]},
        {"inputShape": []},
        {"inputShape": [1, 0, 8]},
        {"numClasses": 1},
        {"mean": []},
        {"std": [-1]},
        {"mean": [float("nan")]},
        {"inputType": "int64"},
        {"inputType": "float16"},
        {"targets": "Masks"},
        {"targets": "Symbols"},
        {"targets": "Symbols", "alphabet": ["a", "b"]},
        {"targets": "Symbols", "alphabet": ["a", "b", "b"]},
        {"alphabet": ["a", "b", "c"]},
        {"logMel": {"sampleRate": 0}},
        {"vocabulary": 1},
        {"unknown": 1},
    ],
)
def test_what_contradicts_itself_is_refused(change):
    with pytest.raises(ValidationError):
        DatasetFacts.model_validate({**IMAGES, **change})


def test_files_of_a_split_are_its_own_shards_and_lists():
    files = SplitFiles(("train.json",), ("train",)) | SplitFiles(("x.npz",))
    inside = ["train.json", "train-000000.tar", "train-123456.tar", "x.npz"]
    outside = [
        "train-00000.tar",
        "train-0000000.tar",
        "train2-000000.tar",
        "train-000000.tar.gz",
        "test.json",
        5,
    ]
    assert all(path in files for path in inside)
    assert not any(path in files for path in outside)
    assert files.complete(inside)
    assert not files.complete(["train.json", "x.npz"])
    assert not files.complete(["train-000000.tar", "x.npz"])


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6), st.data())
def test_chosen_rows_are_the_rows_themselves(rows, data):
    joined = Rows.of([np.asarray(row, np.int64) for row in rows], np.zeros(0, np.int64))
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)) if rows else []
    found = joined.take(np.asarray(chosen, np.int64))
    parts = [found.values[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    assert parts == [rows[index] for index in chosen]
