"""Lines of text as images: `<split>.txt` with `path<TAB>text` a line, images in tar shards.

Owns that format, the one that PaddleOCR's recognisers train on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compression_jobs.readers import lists, pictures
from compression_jobs.readers.base import DatasetFacts, Split, SplitFiles
from compression_jobs.readers.problems import Unusable
from compression_jobs.readers.records import Entry, RecordSplit, Scale, entry
from compression_jobs.readers.shards import Shards
from compression_jobs.readers.truth import Symbols, numbers, spelled


class OCRListReader:
    """See the module."""

    def files(self, split: str) -> SplitFiles:
        """See Reader.files."""
        return SplitFiles((f"{split}.txt",), (split,))

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> Split:
        """See Reader.read."""
        path, known = folder / f"{split}.txt", numbers(facts.alphabet)
        entries = [_entry(line, known) for line in lists.lines(path)]
        lists.require_count(path, len(entries), facts, split)
        channels, height, width = pictures.require_image(facts)
        shards = Shards.open(folder, split)

        def decode(name: str) -> NDArray[np.uint8]:
            return pictures.as_line(pictures.decoded(shards.member(name), channels, name), height, width)

        return RecordSplit(entries, decode, Symbols.of, Scale.of(facts, 255))


def _entry(line: bytes, known: Mapping[str, int]) -> Entry:
    name, tab, text = line.partition(b"\t")

    def truth() -> NDArray[np.int64]:
        if not tab:
            raise Unusable("the line has no tab between path and text")
        return spelled(lists.text(text), known)

    return entry(name.decode("utf-8", "replace"), truth)
