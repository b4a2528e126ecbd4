"""Datasets: what is read is what the manifest says, and calibration never trains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compression_contract.artifacts import ArtifactKind
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.readers import files_of, npz, open_reader
from compression_jobs.readers.calibration import carve

FACTS = {
    "inputShape": [2, 3, 4],
    "numClasses": 3,
    "splits": {"train": 5},
    "mean": [0.5, 0.25],
    "std": [0.5, 1.0],
}


def dataset(folder, images=None, labels=None, **facts):
    images = np.zeros((5, 2, 3, 4), np.uint8) if images is None else images
    labels = np.array([0, 1, 2, 0, 1]) if labels is None else labels
    npz.write(folder / "train.npz", images, labels)
    output = Output(folder, ArtifactKind.DATASET, {**FACTS, **facts})
    manifest = artifacts.describe(output)
    return LocalArtifact(manifest, manifest.digest, folder)


def test_inputs_are_normalised_per_channel_and_channels_first(tmp_path):
    images = np.zeros((5, 2, 3, 4), np.uint8)
    images[3, 0] = 255
    images[3, 1] = 51
    split = open_reader("npz", dataset(tmp_path, images)).split("train")

    inputs = split.inputs(np.array([3, 0]))

    assert inputs.shape == (2, 2, 3, 4)
    assert inputs.dtype == np.float32
    assert inputs[0, 0] == pytest.approx(1.0)  # (1 - .5) / .5
    assert inputs[0, 1] == pytest.approx(-0.05, abs=1e-6)  # (.2 - .25) / 1
    assert inputs[1, 0] == pytest.approx(-1.0)


def test_images_of_one_channel_may_lack_the_axis(tmp_path):
    images = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    found = dataset(tmp_path, images, inputShape=[1, 3, 4], mean=[0.0], std=[1.0])
    assert open_reader("npz", found).split("train").inputs(np.array([1])).shape == (1, 1, 3, 4)


def test_the_same_samples_give_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        npz.write(tmp_path / name, np.ones((2, 1, 2, 2), np.uint8), np.array([0, 1]))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": np.zeros((5, 2, 3, 5), np.uint8)}, "(5, 2, 3, 5)"),
        ({"images": np.zeros((4, 2, 3, 4), np.uint8)}, "(4, 2, 3, 4)"),
        ({"images": np.zeros((5, 2, 3, 4), np.float32)}, "float32"),
        ({"labels": np.array([0, 1, 2, 3, 1])}, "from 0 to 3"),
        ({"labels": np.array([0, -1, 2, 2, 1])}, "from -1 to 2"),
        ({"labels": np.array([0, 1, 2])}, "labels are"),
        ({"labels": np.zeros(5, np.float32)}, "float32"),
    ],
)
def test_what_differs_from_the_manifest_is_refused(tmp_path, change, words):
    with pytest.raises(InvalidData, match=r"train\.npz") as caught:
        open_reader("npz", dataset(tmp_path, **change)).split("train")
    assert caught.value.reason == "DatasetInvalid"
    assert words in caught.value.message


@pytest.mark.parametrize(
    "facts", [{"mean": [0.5]}, {"classes": ["one"]}, {"std": [0, 1]}, {"splits": {"../x": 1}}]
)
def test_facts_that_contradict_themselves_are_refused(tmp_path, facts):
    with pytest.raises(InvalidData) as caught:
        open_reader("npz", dataset(tmp_path, **facts))
    assert caught.value.reason == "DatasetFactsInvalid"


def test_unknown_names_are_told_with_those_that_exist(tmp_path):
    with pytest.raises(InvalidInput, match="npz"):
        files_of("parquet", "train")
    with pytest.raises(InvalidData, match="it has train"):
        open_reader("npz", dataset(tmp_path)).split("test")


@given(samples=st.integers(2, 3000), seed=st.integers(0, 2**40))
@settings(max_examples=50, deadline=None)
def test_calibration_and_training_divide_the_split(samples, seed):
    parts = carve(samples, seed)
    assert len(parts.calibration) >= 1
    assert len(parts.training) >= 1
    together = np.concatenate([parts.training, parts.calibration])
    assert sorted(together) == list(range(samples))
    again = carve(samples, seed)
    assert np.array_equal(parts.calibration, again.calibration)


def test_another_seed_divides_differently():
    assert not np.array_equal(carve(1000, 0).calibration, carve(1000, 1).calibration)
