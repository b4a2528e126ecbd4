"""Lines of text as images, recordings, and texts: targets, and records that make no sense."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest

from compression_jobs.errors import InvalidData
from compression_jobs.readers import lists, sound
from compression_jobs.readers.facts import LogMel
from compression_jobs.readers.packing import pack
from support.datasets import grey, opened, png

ALPHABET = ["你", "好", "a"]
OCR = {
    "inputShape": [1, 8, 16],
    "numClasses": 3,
    "mean": [0],
    "std": [1],
    "targets": "Symbols",
    "alphabet": ALPHABET,
}
RATE = 8000
SOUND = {
    "inputShape": [1, 10, 20],
    "numClasses": 2,
    "classes": ["no", "yes"],
    "mean": [0],
    "std": [1],
    "logMel": {"sampleRate": RATE, "window": 200, "hop": 80},
}
TEXT = {"inputShape": [5], "numClasses": 2, "inputType": "int64", "vocabulary": 5}


def ocr(folder: Path, lines: list[bytes], images: dict[str, bytes], limit: float = 0.01):
    (folder / "test.txt").write_bytes(b"\n".join(lines))
    pack(folder, "test", images.items())
    return opened(folder, "ocr-list", {**OCR, "splits": {"test": len(lines)}}, limit).split("test")


def audio(folder: Path, rows: list[object], files: dict[str, bytes], limit: float = 0.01, **facts):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "test.jsonl").write_text("\n".join(lines))
    pack(folder, "test", files.items())
    described = {**SOUND, "splits": {"test": len(rows)}, **facts}
    return opened(folder, "audio-manifest", described, limit).split("test")


def text(
    folder: Path, rows: list[object], vocabulary: str = "<pad>\n<unk>\ngood\n好\n!", limit: float = 0.01
):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "test.jsonl").write_text("\n".join(lines))
    (folder / "vocabulary.txt").write_text(vocabulary)
    return opened(folder, "text", {**TEXT, "splits": {"test": len(rows)}}, limit).split("test")


def test_symbols_are_numbered_from_one_in_the_order_of_the_alphabet(tmp_path: Path):
    lines = ["a.png\t好a".encode(), "b.png\t你".encode()]
    split = ocr(tmp_path, lines, {"a.png": grey(), "b.png": grey()})
    targets = split.targets(np.array([1, 0]))
    assert targets["symbols"].tolist() == [1, 2, 3]
    assert targets["offsets"].tolist() == [0, 1, 3]


def test_a_line_keeps_its_proportions_and_is_filled_up_with_its_last_column(tmp_path: Path):
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, 8:] = 255
    split = ocr(tmp_path, [b"a.png\ta"], {"a.png": png(pixels)})
    (sample,) = split.inputs(np.array([0]))
    assert sample.shape == (1, 8, 16)
    assert sample[0, :, 0] == pytest.approx(np.zeros(8))
    assert sample[0, :, 7:] == pytest.approx(np.ones((8, 9)))


def test_a_line_too_wide_is_squeezed(tmp_path: Path):
    pixels = np.zeros((8, 64), np.uint8)
    pixels[:, 32:] = 255
    (sample,) = ocr(tmp_path, [b"a.png\ta"], {"a.png": png(pixels)}).inputs(np.array([0]))
    assert sample[0, 0, :7] == pytest.approx(np.zeros(7))
    assert sample[0, 0, 9:] == pytest.approx(np.ones(7))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"a.png", "no tab"),
        (b"a.png\t", "empty"),
        ("a.png\t你们".encode(), "'们'"),
        (b"a.png\t\xff\xfe", "no UTF-8"),
        (b"other.png\ta", "none of the archives"),
        (b"../a.png\ta", "none of the archives"),
    ],
)
def test_a_line_of_the_list_that_makes_no_sense_is_a_bad_record(tmp_path: Path, line, why):
    split = ocr(tmp_path, [b"a.png\ta", line], {"a.png": grey()}, limit=0.5)
    assert len(split) == 1
    assert why in split.bad[0].why


def test_lists_have_limits(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(lists, "MAX_LINE_BYTES", 20)
    with pytest.raises(InvalidData, match="longer than 20") as caught:
        ocr(tmp_path, [b"a.png\t" + b"a" * 20], {"a.png": grey()})
    assert caught.value.reason == "ListTooLarge"
    monkeypatch.setattr(lists, "MAX_LIST_BYTES", 10)
    with pytest.raises(InvalidData, match="more than the 10 allowed"):
        list(lists.lines(tmp_path / "test.txt"))


def tone(frequency: float, seconds: float = 0.3, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def test_a_tone_is_loudest_in_the_band_of_its_frequency():
    how = LogMel(sample_rate=RATE, window=400, hop=160)
    bands = sound.filters(RATE, 400, 20)
    for frequency in (300.0, 1000.0, 3000.0):
        signal = tone(frequency, 1)
        found = sound.log_mel(signal[: sound.length(how, 10)], how, 20, 10)
        loudest = found[0].mean(axis=1).argmax()
        assert found.shape == (1, 20, 10)
        assert loudest == bands[:, round(frequency * 400 / RATE)].argmax()


def test_recordings_become_features_with_the_class_of_their_label(tmp_path: Path):
    rows = [{"audio_filepath": "a.wav", "label": "yes"}, {"audio_filepath": "b.wav", "label": 0}]
    files = {"a.wav": sound.encode(tone(500), RATE), "b.wav": sound.encode(tone(2000), RATE)}
    split = audio(tmp_path, rows, files)
    inputs = split.inputs(np.arange(2))
    assert inputs.shape == (2, 1, 10, 20)
    assert np.isfinite(inputs).all()
    assert inputs[0, 0].mean(axis=1).argmax() < inputs[1, 0].mean(axis=1).argmax()
    assert split.labels.tolist() == [1, 0]


def test_a_transcript_becomes_symbols(tmp_path: Path):
    rows = [{"audio_filepath": "a.wav", "text": "nn"}]
    facts = {"targets": "Symbols", "alphabet": ["n", "o"], "classes": []}
    split = audio(tmp_path, rows, {"a.wav": sound.encode(tone(500), RATE)}, **facts)
    assert split.targets(np.array([0]))["symbols"].tolist() == [1, 1]


def pcm(signal: np.ndarray, width: int, channels: int, path: Path) -> bytes:
    """A WAV file of this width, the same in each channel."""
    scaled = np.round(signal.astype(np.float64) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    raw = b"".join(
        (int(value) + (128 if width == 1 else 0)).to_bytes(width, "little", signed=width > 1) * channels
        for value in scaled
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(RATE)
        file.writeframes(raw)
    return path.read_bytes()


@pytest.mark.parametrize(("width", "channels"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)])
def test_all_widths_of_pcm_mean_the_same(tmp_path: Path, width, channels):
    signal = tone(440, 0.05)
    data = pcm(signal, width, channels, tmp_path / "x.wav")
    found = sound.samples(data, RATE, len(signal) + 100)
    assert found[: len(signal)] == pytest.approx(signal, abs=2 ** -(8 * width - 2))
    assert not found[len(signal) :].any()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no WAV"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "no WAV"),
        (b"not a recording" * 10, "no WAV"),
        (sound.encode(tone(500, rate=16_000), 16_000), "16000 samples a second"),
        (sound.encode(np.zeros(0, np.float32), RATE), "no samples"),
        (sound.encode(tone(500), RATE)[:30], "no WAV"),
    ],
    ids=["empty", "lies", "text", "rate", "silent", "cut"],
)
def test_a_recording_that_cannot_be_decoded_is_a_bad_record(tmp_path: Path, data, why):
    rows = [{"audio_filepath": f"{name}.wav", "label": "no"} for name in "ab"]
    split = audio(tmp_path, rows, {"a.wav": sound.encode(tone(500), RATE), "b.wav": data}, limit=0.5)
    assert [record.name for record in split.bad] == ["b.wav"]
    assert why in split.bad[0].why


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ({"audio_filepath": "a.wav"}, "none of the 2 classes"),
        ({"audio_filepath": "a.wav", "label": "maybe"}, "'maybe'"),
        ({"audio_filepath": "a.wav", "label": True}, "'True'"),
        ({"audio_filepath": "a.wav", "label": 2}, "'2'"),
        ({"audio_filepath": ["a.wav"], "label": 1}, "none of the archives"),
    ],
)
def test_a_row_of_the_manifest_that_makes_no_sense_is_a_bad_record(tmp_path: Path, row, why):
    good = {"audio_filepath": "a.wav", "label": 1}
    split = audio(tmp_path, [good, row], {"a.wav": sound.encode(tone(500), RATE)}, limit=0.5)
    assert len(split) == 1
    assert why in split.bad[0].why


def test_sound_without_log_mel_facts_is_refused(tmp_path: Path):
    with pytest.raises(InvalidData, match="logMel"):
        audio(tmp_path, [{"audio_filepath": "a.wav", "label": 1}], {"a.wav": b"x"}, logMel=None)


def test_texts_become_ids_of_one_length(tmp_path: Path):
    rows = [{"text": "Good, 很好!", "label": 1}, {"text": "good " * 9, "label": 0}]
    split = text(tmp_path, rows)
    inputs = split.inputs(np.arange(2))
    assert inputs.dtype == np.int64
    assert inputs.tolist() == [[2, 1, 1, 3, 4], [2, 2, 2, 2, 2]]
    assert split.targets(np.array([1, 0]))["labels"].tolist() == [0, 1]


def test_a_token_that_reads_like_the_first_two_of_the_vocabulary_is_unknown(tmp_path: Path):
    split = text(tmp_path, [{"text": "pad unk", "label": 1}], vocabulary="pad\nunk\na\nb\nc")
    assert split.inputs(np.array([0])).tolist() == [[1, 1, 0, 0, 0]]


@pytest.mark.parametrize("row", ["{", {"label": 1}, {"text": 5, "label": 1}, {"text": "a", "label": 7}])
def test_a_text_that_makes_no_sense_is_a_bad_record(tmp_path: Path, row):
    split = text(tmp_path, [{"text": "a", "label": 1}, row], limit=0.5)
    assert [record.name for record in split.bad] == ["line 2"]


@pytest.mark.parametrize("vocabulary", ["a\nb\nc", "a\na\nb\nc\nd"])
def test_the_vocabulary_must_be_that_of_the_manifest(tmp_path: Path, vocabulary):
    with pytest.raises(InvalidData) as caught:
        text(tmp_path, [{"text": "a", "label": 1}], vocabulary=vocabulary)
    assert caught.value.reason == "DatasetInvalid"
