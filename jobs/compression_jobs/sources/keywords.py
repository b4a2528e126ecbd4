"""Spoken digits in noise: a dataset of recordings, each of one word.

Owns what is made of the clean words that came with the image, one WAV file for each word, voice and speed:
`<word>/<voice>-….wav`. Every fourth voice is for testing alone: a model is measured on speakers that it never
heard.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from compression_contract.inputs import PrepareDataInput
from compression_jobs.errors import InvalidData, NotFound
from compression_jobs.readers import DatasetFacts, sound
from compression_jobs.readers.facts import LogMel
from compression_jobs.readers.packing import pack
from compression_jobs.readers.problems import Unusable
from compression_jobs.sources.layout import DIGITS, Moments, stream

WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
HOW: Final = LogMel(sample_rate=8000, window=256, hop=100)
BANDS, FRAMES = 32, 64
TRAIN_SAMPLES: Final = 2400
TEST_SAMPLES: Final = 1000
_TESTED: Final = 4
"""Every fourth voice is tested with."""
_SOURCE_RATE: Final = 22_050
_MAX_SECONDS: Final = 5

log = logging.getLogger(__name__)
Floats = sound.Floats


@dataclass(frozen=True, slots=True)
class Word:
    """A clean recording."""

    label: int
    signal: Floats
    """At HOW.sample_rate."""


def write(given: PrepareDataInput, folder: Path) -> DatasetFacts:
    """Write both splits, and return the facts of the manifest.

    Raises:
        NotFound: SourceNotFound, there are no words.
        InvalidData: SourceInvalid, a word is no WAV file as expected.
    """
    words = load(Path(given.source))
    counts = {"train": given.train_samples or TRAIN_SAMPLES, "test": given.test_samples or TEST_SAMPLES}
    moments = Moments()
    for split, count in counts.items():
        labels: list[int] = []
        pack(folder, split, _members(given.seed, (split, count), words[split], labels, moments))
        rows = (
            {"audio_filepath": f"{number:0{DIGITS}d}.wav", "label": WORDS[label]}
            for number, label in enumerate(labels)
        )
        (folder / f"{split}.jsonl").write_text(
            "".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8"
        )
        log.info("split written", extra={"fields": {"split": split, "samples": count}})
    return DatasetFacts(
        reader="audio-manifest",
        input_shape=(1, BANDS, FRAMES),
        num_classes=len(WORDS),
        classes=WORDS,
        splits=counts,
        mean=(moments.mean,),
        std=(moments.std,),
        source=given.title or "Spoken digits by espeak-ng, with noise",
        log_mel=HOW,
    )


def load(folder: Path) -> dict[str, list[Word]]:
    """Clean words by split, in the order of their paths.

    Raises:
        NotFound: SourceNotFound.
        InvalidData: SourceInvalid.
    """
    files = {word: sorted((folder / word).glob("*.wav")) for word in WORDS}
    voices = sorted({path.name.split("-")[0] for paths in files.values() for path in paths})
    tested = set(voices[_TESTED - 1 :: _TESTED])
    found: dict[str, list[Word]] = {"train": [], "test": []}
    for label, word in enumerate(WORDS):
        for path in files[word]:
            split = "test" if path.name.split("-")[0] in tested else "train"
            found[split].append(Word(label, _read(path)))
    if not all(found.values()):
        raise NotFound(
            "SourceNotFound",
            f"There are no spoken words of {_TESTED} voices or more below {folder}; check the data image.",
        )
    return found


def mixed(word: Word, random: np.random.RandomState) -> Floats:
    """A word somewhere within the frames, louder or softer, with white and low noise around it."""
    wanted = sound.length(HOW, FRAMES)
    spoken = word.signal[:wanted]
    start = random.randint(0, wanted - len(spoken) + 1)
    signal = np.zeros(wanted, np.float64)
    signal[start : start + len(spoken)] = spoken / max(float(np.abs(spoken).max()), 1e-6)
    signal *= random.uniform(0.2, 0.7)
    white = random.normal(0, 1, wanted)
    rumble = np.cumsum(random.normal(0, 1, wanted))
    rumble = (rumble - rumble.mean()) / max(float(rumble.std()), 1e-6)
    signal += white * 10 ** random.uniform(-3, -1.2) + rumble * 10 ** random.uniform(-3, -1.2)
    return np.clip(signal, -1, 1).astype(np.float32)


def resampled(signal: Floats, old: int, new: int) -> Floats:
    """A signal at a lower rate, by its spectrum: what the new rate cannot hold is left out."""
    wanted = round(len(signal) * new / old)
    spectrum = np.fft.rfft(signal)[: wanted // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, wanted) * (wanted / len(signal)), np.float32)


def _read(path: Path) -> Floats:
    try:
        signal = sound.samples(path.read_bytes(), _SOURCE_RATE, _SOURCE_RATE * _MAX_SECONDS)
    except Unusable as error:
        raise InvalidData("SourceInvalid", f"{path}: {error}; check the data image.") from error
    loud = np.flatnonzero(np.abs(signal) > 0.01 * np.abs(signal).max())
    return resampled(signal[loud[0] : loud[-1] + 1], _SOURCE_RATE, HOW.sample_rate)


def _members(
    seed: int, which: tuple[str, int], words: Sequence[Word], labels: list[int], moments: Moments
) -> Iterator[tuple[str, bytes]]:
    """The WAV files of a split; their labels and features of training are left in the last two."""
    split, count = which
    for number in range(count):
        random = stream(seed, split, number)
        word = words[random.randint(len(words))]
        signal = mixed(word, random)
        labels.append(word.label)
        if split == "train":
            moments.add(sound.log_mel(signal, HOW, BANDS, FRAMES).astype(np.float64))
        yield f"{number:0{DIGITS}d}.wav", sound.encode(signal, HOW.sample_rate)
