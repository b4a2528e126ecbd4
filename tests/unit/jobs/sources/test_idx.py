"""Files in the IDX format become a dataset, and what is none is refused."""

import gzip
import struct

import numpy as np
import pytest

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import PrepareDataInput
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.errors import InvalidData, NotFound
from compression_jobs.readers import open_reader
from compression_jobs.sources.idx import read_idx, write


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for prefix, count in (("train", 6), ("t10k", 4)):
        images = generator.integers(0, 256, (count, 3, 3)).astype(np.uint8)
        labels = (np.arange(count) % 3).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return folder


def prepared(source, folder, **settings):
    folder.mkdir()
    facts = write(PrepareDataInput(source=str(source), **settings), folder).wire()
    manifest = artifacts.describe(Output(folder, ArtifactKind.DATASET, facts))
    return LocalArtifact(manifest, manifest.digest, folder)


def test_what_is_prepared_can_be_read(source, tmp_path):
    found = prepared(source, tmp_path / "out", padding=2, title="Tiny")
    dataset = open_reader("npz", found)
    assert dataset.facts.input_shape == (1, 7, 7)
    assert dataset.facts.num_classes == 3
    assert dataset.facts.splits == {"train": 6, "test": 4}
    original = read_idx(source / "t10k-images-idx3-ubyte.gz", 3)
    inputs = dataset.split("test").inputs(np.arange(4))
    mean, std = dataset.facts.mean[0], dataset.facts.std[0]
    assert inputs[:, 0, 2:-2, 2:-2] * std + mean == pytest.approx(original / 255, abs=1e-5)
    assert inputs[:, 0, 0] == pytest.approx(np.full((4, 7), -mean / std), abs=1e-5)


def test_training_samples_are_normalised_to_mean_0_and_deviation_1(source, tmp_path):
    dataset = open_reader("npz", prepared(source, tmp_path / "out"))
    inputs = dataset.split("train").inputs(np.arange(6))
    assert float(inputs.mean()) == pytest.approx(0, abs=1e-4)
    assert float(inputs.std()) == pytest.approx(1, abs=1e-4)


def test_fewer_training_samples_leave_the_test_split_whole(source, tmp_path):
    found = prepared(source, tmp_path / "out", train_samples=2)
    assert open_reader("npz", found).facts.splits == {"train": 2, "test": 4}


def test_the_same_source_gives_the_same_artifact(source, tmp_path):
    first, second = (prepared(source, tmp_path / name) for name in ("a", "b"))
    assert first.digest == second.digest


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFound, match="train-images"):
        write(PrepareDataInput(source=str(tmp_path)), tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"not gzip",
        gzip.compress(b""),
        gzip.compress(bytes([0, 0, 13, 1, 0, 0, 0, 1, 7])),
        gzip.compress(idx(np.zeros((2, 2), np.uint8))),
        gzip.compress(idx(np.zeros(4, np.uint8)) + b"more"),
        gzip.compress(idx(np.zeros(4, np.uint8))[:-1]),
        gzip.compress(idx(np.zeros(4, np.uint8)))[:-6],
    ],
    ids=["plain", "empty", "floats", "dimensions", "longer", "shorter", "cut"],
)
def test_what_is_no_idx_file_is_refused(tmp_path, data):
    (tmp_path / "x.gz").write_bytes(data)
    with pytest.raises(InvalidData) as caught:
        read_idx(tmp_path / "x.gz", 1)
    assert caught.value.reason == "SourceInvalid"


def test_images_without_labels_are_refused(source, tmp_path):
    labels = gzip.compress(idx(np.zeros(5, np.uint8)))
    (source / "train-labels-idx1-ubyte.gz").write_bytes(labels)
    with pytest.raises(InvalidData, match="6 images and 5 labels"):
        prepared(source, tmp_path / "out")
