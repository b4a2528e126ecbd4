"""Images in tar shards: pixels and labels, and what becomes of records that cannot be used."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.readers import pictures, records
from support.datasets import GREY, grey, image_tar, opened, png


def members(count: int, bad: dict[int, bytes] | None = None) -> list[tuple[str, bytes]]:
    """Image i is of the grey value i and of class i % 3."""
    images = [(f"{i:05d}.png", (bad or {}).get(i, grey(i % 256))) for i in range(count)]
    return [*images, *((f"{i:05d}.cls", b"%d" % (i % 3)) for i in range(count))]


def test_pixels_and_labels_belong_together_and_come_in_the_order_asked_for(tmp_path: Path):
    split = image_tar(tmp_path, members(6), 6).split("test")

    inputs, targets = split.inputs(np.array([4, 0])), split.targets(np.array([4, 0]))

    assert len(split) == 6
    assert inputs.shape == (2, 1, 8, 8)
    assert inputs.dtype == np.float32
    assert inputs[0] == pytest.approx((4 / 255 - 0.5) / 0.5, abs=1e-6)
    assert inputs[1] == pytest.approx(-1)
    assert targets["labels"].tolist() == [1, 0]
    assert split.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_colour_keeps_its_channels_and_any_size_is_brought_to_that_of_a_sample(tmp_path: Path):
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[..., 1] = 255
    found = image_tar(
        tmp_path,
        [("a.png", png(pixels)), ("a.cls", b"2")],
        1,
        inputShape=[3, 8, 8],
        mean=[0] * 3,
        std=[1] * 3,
    )
    inputs = found.split("test").inputs(np.array([0]))
    assert inputs.shape == (1, 3, 8, 8)
    assert inputs.mean(axis=(0, 2, 3)) == pytest.approx([0, 1, 0])


def test_a_label_may_be_the_name_of_a_class(tmp_path: Path):
    found = image_tar(
        tmp_path, [("a.png", grey()), ("a.cls", b"shirt\n")], 1, classes=["bag", "coat", "shirt"]
    )
    assert found.split("test").labels.tolist() == [2]


def test_a_split_too_large_to_keep_gives_the_same_samples(tmp_path: Path, monkeypatch):
    dataset = image_tar(tmp_path, members(40, {3: b"damaged"}), 40, limit=0.1)
    kept = dataset.split("test")
    monkeypatch.setattr(records, "KEPT_BYTES", 0)
    streamed = dataset.split("test")

    indices = np.array([38, 0, 3, 3])

    assert streamed._kept is None
    assert np.array_equal(kept.inputs(indices), streamed.inputs(indices))
    assert np.array_equal(kept.labels, streamed.labels)


def _truncated() -> bytes:
    return png(np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8))[:-500]


def _gif() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "GIF")
    return buffer.getvalue()


def _sixteen_bits() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def _flipped() -> bytes:
    data = bytearray(grey())
    data[45] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    "data", [b"", b"no picture", _truncated(), _gif(), _sixteen_bits(), _flipped()],
    ids=["empty", "text", "cut", "gif", "sixteen-bits", "flipped"],
)  # fmt: skip
def test_a_record_that_cannot_be_decoded_is_left_out_and_named(tmp_path: Path, data, caplog):
    with caplog.at_level("WARNING"):
        split = image_tar(tmp_path, members(100, {7: data}), 100).split("test")

    assert len(split) == 99
    assert [record.name for record in split.bad] == ["00007.png"]
    assert split.labels[7] == 8 % 3
    assert split.inputs(np.array([7])) == pytest.approx((8 / 255 - 0.5) / 0.5, abs=1e-6)
    assert [record.fields for record in caplog.records][-1] == {"split": "test", "bad": 1, "records": 100}


@pytest.mark.parametrize(
    ("label", "why"),
    [(None, "no .cls file"), (b"3", "none of the 3"), (b"-1", "none of the 3"), (b"x" * 300, "too large")],
)
def test_a_label_that_makes_no_sense_is_a_bad_record(tmp_path: Path, label, why):
    given = [(name, label if name == "00007.cls" else data) for name, data in members(100)]
    split = image_tar(tmp_path, [(n, d) for n, d in given if d is not None], 100).split("test")
    assert [record.name for record in split.bad] == ["00007.png"]
    assert why in split.bad[0].why


@pytest.mark.parametrize(
    ("bad", "limit", "passes"),
    [(1, 0.01, True), (2, 0.01, False), (2, 0.02, True), (0, 0, True), (1, 0, False), (100, 1, False)],
)
def test_too_many_bad_records_end_the_stage(tmp_path: Path, bad, limit, passes):
    dataset = image_tar(tmp_path, members(100, dict.fromkeys(range(bad), b"damaged")), 100, limit=limit)
    if passes:
        assert len(dataset.split("test").bad) == bad
        return
    with pytest.raises(InvalidData, match=f"{bad} of 100") as caught:
        dataset.split("test")
    assert caught.value.reason == "TooManyBadRecords"
    assert "00000.png" in caught.value.message


def _claims(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that declares a size."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    header = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    rest = grey()[33:]
    return b"\x89PNG\r\n\x1a\n" + header + rest


@pytest.mark.parametrize("size", [(6000, 6000), (12_000, 12_000), (60_000, 60_000)])
def test_a_picture_that_would_fill_the_memory_is_refused_by_what_it_declares(tmp_path: Path, size):
    assert size[0] * size[1] > pictures.MAX_PIXELS
    dataset = image_tar(tmp_path, members(100, {3: _claims(*size)}), 100)
    with pytest.raises(InvalidData, match=r"00003\.png") as caught:
        dataset.split("test")
    assert caught.value.reason == "ImageTooLarge"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"splits": {"test": 5}}, "DatasetInvalid"),
        ({"inputShape": [2, 8, 8], "mean": [0, 0], "std": [1, 1]}, "DatasetInvalid"),
        ({"inputShape": [8], "mean": [0], "std": [1]}, "DatasetInvalid"),
    ],
)
def test_facts_that_the_files_do_not_bear_out_are_refused(tmp_path: Path, facts, reason):
    with pytest.raises(InvalidData) as caught:
        image_tar(tmp_path, members(4), 4, **facts).split("test")
    assert caught.value.reason == reason


def test_a_split_without_a_shard_is_said_to_lack_files(tmp_path: Path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(InvalidData) as caught:
        opened(tmp_path, "image-tar", {**GREY, "splits": {"test": 1}}).split("test")
    assert caught.value.reason == "FileMissing"


def test_a_dataset_made_for_another_reader_says_for_which(tmp_path: Path):
    pack_for = {**GREY, "splits": {"test": 1}, "reader": "coco", "targets": "Boxes"}
    (tmp_path / "x").write_text("x")
    with pytest.raises(InvalidInput, match="'coco'") as caught:
        opened(tmp_path, "npz", pack_for)
    assert caught.value.reason == "ReaderDiffers"
