"""Recordings: `<split>.jsonl` with one JSON object a line, WAV files in tar shards.

Owns that format, the manifest of NeMo: `audio_filepath` and `text`; for whole words `label`, a class by its
number or name. Sound becomes log-mel features as the facts say.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.readers import lists, sound
from compression_jobs.readers.base import DatasetFacts, Split, SplitFiles
from compression_jobs.readers.problems import Unusable
from compression_jobs.readers.records import Entry, RecordSplit, Scale, entry
from compression_jobs.readers.shards import Shards
from compression_jobs.readers.truth import Labels, Symbols, numbers, spelled


class AudioManifestReader:
    """See the module."""

    def files(self, split: str) -> SplitFiles:
        """See Reader.files."""
        return SplitFiles((f"{split}.jsonl",), (split,))

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> Split:
        """See Reader.read."""
        path, how = folder / f"{split}.jsonl", facts.log_mel
        if how is None or len(facts.input_shape) != 3 or facts.input_shape[0] != 1:
            raise InvalidData(
                "DatasetInvalid",
                "The manifest of a dataset of sound needs logMel and an inputShape of [1, bands, frames].",
            )
        symbols = numbers(facts.alphabet)
        entries = [_entry(line, facts, symbols) for line in lists.lines(path)]
        lists.require_count(path, len(entries), facts, split)
        shards, (_, bands, frames) = Shards.open(folder, split), facts.input_shape
        wanted = sound.length(how, frames)

        def decode(name: str) -> NDArray[Any]:
            return sound.log_mel(
                sound.samples(shards.member(name), how.sample_rate, wanted), how, bands, frames
            )

        known = Symbols.of if facts.targets == "Symbols" else Labels.of
        return RecordSplit(entries, decode, known, Scale.of(facts, 1))


def _entry(line: bytes, facts: DatasetFacts, known: Mapping[str, int]) -> Entry:
    try:
        found = lists.json_object(line)
    except Unusable as error:
        return Entry(line[:80].decode("utf-8", "replace"), problem=str(error))

    def truth() -> Any:
        if facts.targets == "Symbols":
            return spelled(str(found.get("text", "")), known)
        return lists.class_number(found.get("label"), facts)

    return entry(str(found.get("audio_filepath", "")), truth)
