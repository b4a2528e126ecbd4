"""Classified images in tar shards: `<key>.png` or `.jpg` beside `<key>.cls`, as WebDataset names them.

Owns that format.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from compression_jobs.readers import pictures
from compression_jobs.readers.base import DatasetFacts, Split, SplitFiles
from compression_jobs.readers.lists import class_number, require_count
from compression_jobs.readers.problems import Unusable
from compression_jobs.readers.records import Entry, RecordSplit, Scale, entry
from compression_jobs.readers.shards import Shards
from compression_jobs.readers.truth import Labels

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg"})
_MAX_LABEL_BYTES: Final = 256


class ImageTarReader:
    """See the module."""

    def files(self, split: str) -> SplitFiles:
        """See Reader.files."""
        return SplitFiles(shards=(split,))

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> Split:
        """See Reader.read."""
        shards = Shards.open(folder, split)
        images = [name for name in shards.members if PurePosixPath(name).suffix.lower() in SUFFIXES]
        require_count(folder / f"{split}-000000.tar", len(images), facts, split)
        entries = [_entry(shards, name, facts) for name in images]
        return RecordSplit(entries, picture_decoder(shards, facts), Labels.of, Scale.of(facts, 255))


def picture_decoder(shards: Shards, facts: DatasetFacts) -> pictures.ByName:
    """Members of shards as pixels in the size of a sample."""
    channels, height, width = pictures.require_image(facts)
    return lambda name: pictures.stretched(
        pictures.decoded(shards.member(name), channels, name), height, width
    )


def _entry(shards: Shards, name: str, facts: DatasetFacts) -> Entry:
    label = str(PurePosixPath(name).with_suffix(".cls"))

    def truth() -> int:
        if label not in shards.members or shards.members[label].size > _MAX_LABEL_BYTES:
            raise Unusable("it has no .cls file beside it, or one that is too large")
        return class_number(shards.read(label).decode("utf-8", "replace").strip(), facts)

    return entry(name, truth)
