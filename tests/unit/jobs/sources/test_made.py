"""Datasets that are drawn, rendered and mixed: readable, repeatable, and true to what they say."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import PrepareDataInput
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.errors import InvalidData, NotFound
from compression_jobs.readers import OpenDataset, open_reader, sound
from compression_jobs.sources import SOURCES, boards, keywords, lines


def words(folder: Path, voices: tuple[str, ...] = ("a", "b", "c", "d")) -> Path:
    """Tones in place of words: each word a frequency, each voice a little off it."""
    for number, word in enumerate(keywords.WORDS):
        (folder / word).mkdir(parents=True)
        for index, voice in enumerate(voices):
            times = np.arange(8000) / 22050
            signal = 0.5 * np.sin(2 * np.pi * (300 + 200 * number + 10 * index) * times)
            (folder / word / f"{voice}-1.wav").write_bytes(sound.encode(signal.astype(np.float32), 22050))
    return folder


def made(kind: str, folder: Path, **settings) -> tuple[OpenDataset, str]:
    """A made dataset, opened, and its digest."""
    folder.mkdir()
    given = PrepareDataInput(kind=kind, train_samples=30, test_samples=20, **settings)
    facts = SOURCES[kind](given, folder)
    manifest = artifacts.describe(Output(folder, ArtifactKind.DATASET, facts.wire()))
    return open_reader(facts.reader, LocalArtifact(manifest, manifest.digest, folder)), manifest.digest


@pytest.fixture
def source(request, tmp_path):
    return str(words(tmp_path / "words"))


@pytest.mark.parametrize("kind", ["boards", "keywords"])
def test_what_is_made_can_be_read_and_is_normalised(kind, source, tmp_path):
    dataset, _ = made(kind, tmp_path / "out", source=source)
    train, test = dataset.split("train"), dataset.split("test")
    assert (len(train), len(test), train.bad, test.bad) == (30, 20, (), ())
    inputs = train.inputs(np.arange(30))
    assert inputs.shape == (30, *dataset.facts.input_shape)
    assert float(inputs.mean()) == pytest.approx(0, abs=0.02)
    assert float(inputs.std()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("kind", ["boards", "keywords"])
def test_the_same_seed_gives_the_same_dataset_and_another_seed_another(kind, source, tmp_path):
    (_, first), (_, again), (_, other) = (
        made(kind, tmp_path / name, source=source, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again
    assert first != other


def test_no_sample_of_the_training_split_is_in_the_test_split(source, tmp_path):
    for kind in ("boards", "keywords"):
        dataset, _ = made(kind, tmp_path / kind, source=source)
        digests = [
            {hashlib.sha256(row.tobytes()).digest() for row in dataset.split(name).inputs(np.arange(20))}
            for name in ("train", "test")
        ]
        assert not digests[0] & digests[1]


@pytest.fixture(scope="module")
def drawn():
    return [boards.draw(np.random.RandomState(seed)) for seed in range(80)]


def test_every_kind_of_defect_is_drawn_in_a_small_box_on_the_board(drawn):
    boxes = [(kind, np.asarray(box)) for board in drawn for kind, box in board.defects]
    assert {kind for kind, _ in boxes} == set(boards.DEFECTS)
    assert all((box >= 0).all() and (box <= boards.SIZE).all() for _, box in boxes)
    assert all(((box[2:] - box[:2]) > 1).all() and ((box[2:] - box[:2]) < 30).all() for _, box in boxes)


@pytest.mark.parametrize(
    ("kind", "copper"), [("short", True), ("spurious_copper", True), ("open_circuit", False)]
)
def test_there_is_copper_between_traces_or_none_on_a_trace_where_a_box_says_so(drawn, kind, copper):
    bright = []
    for board in drawn:
        for found, (left, top, right, bottom) in board.defects:
            if found == kind:
                x, y = round((left + right) / 2), round((top + bottom) / 2)
                middle = board.pixels[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].mean()
                bright.append(middle > board.pixels.mean())
    assert len(bright) > 8
    assert np.mean(np.asarray(bright) == copper) > 0.9


def test_words_are_tested_with_voices_that_were_not_trained_on(tmp_path):
    found = keywords.load(words(tmp_path / "words", tuple("abcdefgh")))
    assert {split: len(part) for split, part in found.items()} == {"train": 60, "test": 20}


def test_a_mixed_word_fills_the_frames_and_nothing_more(tmp_path):
    word = keywords.load(words(tmp_path / "words"))["train"][0]
    for seed in range(20):
        signal = keywords.mixed(word, np.random.RandomState(seed))
        assert len(signal) == sound.length(keywords.HOW, keywords.FRAMES)
        assert np.abs(signal).max() <= 1


def test_a_lower_rate_keeps_the_tone():
    times = np.arange(22050) / 22050
    found = keywords.resampled(np.sin(2 * np.pi * 440 * times).astype(np.float32), 22050, 8000)
    assert len(found) == 8000
    assert np.abs(np.fft.rfft(found)).argmax() == 440
    assert np.abs(found[1000:-1000]).max() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", ["keywords", "ocr"])
def test_a_folder_without_what_is_needed_is_named(kind, tmp_path):
    with pytest.raises(NotFound, match="no such"):
        SOURCES[kind](PrepareDataInput(kind=kind, source=str(tmp_path / "no such")), tmp_path)


def test_a_word_that_is_no_recording_is_named(tmp_path):
    folder = words(tmp_path / "words")
    (folder / "seven/b-1.wav").write_bytes(b"no recording")
    with pytest.raises(InvalidData, match=r"b-1\.wav"):
        keywords.load(folder)


def test_the_alphabet_repeats_no_character():
    assert len(set(lines.ALPHABET)) == len(lines.ALPHABET) == 40


def test_a_font_below_the_folder_is_found_and_renders_ink(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    (tmp_path / "one.ttf").write_bytes((folder / "DejaVuSans.ttf").read_bytes())
    fonts = lines.load(tmp_path)
    pixels = lines.render("HHHH", fonts, np.random.RandomState(0))
    assert pixels.shape == (lines.HEIGHT, lines.WIDTH)
    assert int(pixels.max()) - int(pixels.min()) > 60
