"""Texts with a class: `<split>.jsonl` with `text` and `label` a line, and `vocabulary.txt`, a token a line.

Owns that format and the tokens: words in lower case and single other signs, Chinese characters among these.
The first token of the vocabulary fills up, the second stands for any unknown one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.readers import lists
from compression_jobs.readers.base import BadRecord, DatasetFacts, Indices, Split, SplitFiles, Targets
from compression_jobs.readers.problems import Unusable
from compression_jobs.readers.records import Entry, entry

VOCABULARY: Final = "vocabulary.txt"
PADDING, UNKNOWN = 0, 1
# A character of the CJK blocks is a token; other scripts have words.
_TOKEN: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W\u3400-\u9fff\uf900-\ufaff]+|[^\w\s]")


class TokenSplit:
    """Token ids, all of them in memory: they are small."""

    def __init__(self, ids: NDArray[np.int64], labels: NDArray[np.int64], bad: tuple[BadRecord, ...]) -> None:
        self._ids, self.labels, self.bad = ids, labels, bad

    def __len__(self) -> int:
        return len(self._ids)

    def inputs(self, indices: Indices) -> NDArray[np.int64]:
        """See Split.inputs."""
        return self._ids[indices]

    def targets(self, indices: Indices) -> Targets:
        """See Split.targets."""
        return {"labels": self.labels[indices]}


class TextReader:
    """See the module."""

    def files(self, split: str) -> SplitFiles:
        """See Reader.files."""
        return SplitFiles((f"{split}.jsonl", VOCABULARY))

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> Split:
        """See Reader.read."""
        if facts.input_type != "int64" or len(facts.input_shape) != 1 or facts.vocabulary is None:
            raise InvalidData(
                "DatasetInvalid",
                "The manifest of a dataset of texts needs inputType int64, vocabulary, and an inputShape of "
                "[tokens].",
            )
        known = _vocabulary(folder / VOCABULARY, facts.vocabulary)
        path = folder / f"{split}.jsonl"
        entries = [_entry(number, line, facts, known) for number, line in enumerate(lists.lines(path), 1)]
        lists.require_count(path, len(entries), facts, split)
        good = [entry.truth for entry in entries if not entry.problem]
        bad = tuple(BadRecord(entry.name, entry.problem) for entry in entries if entry.problem)
        ids = np.full((len(good), facts.input_shape[0]), PADDING, np.int64)
        for row, (tokens, _) in zip(ids, good, strict=True):
            row[: len(tokens)] = tokens
        return TokenSplit(ids, np.asarray([label for _, label in good], np.int64), bad)


def tokens(text: str) -> list[str]:
    """The tokens of a text, in order."""
    return _TOKEN.findall(text.lower())


def encoded(text: str, known: Mapping[str, int], length: int) -> list[int]:
    """Ids of the first tokens of a text; at most `length`."""
    return [known.get(token, UNKNOWN) for token in tokens(text)[:length]]


def numbered(vocabulary: Sequence[str]) -> dict[str, int]:
    """Tokens to their ids; the first two are not looked up."""
    return {token: number for number, token in enumerate(vocabulary) if number > UNKNOWN}


def _vocabulary(path: Path, size: int) -> dict[str, int]:
    found = [line.decode("utf-8", "replace") for line in lists.lines(path)]
    if len(found) != size or len(set(found)) != size:
        raise InvalidData(
            "DatasetInvalid",
            f"{path.name} of the dataset holds {len(set(found))} different tokens, its manifest says {size}.",
        )
    return numbered(found)


def _entry(number: int, line: bytes, facts: DatasetFacts, known: Mapping[str, int]) -> Entry:
    def truth() -> tuple[list[int], int]:
        found = lists.json_object(line)
        text = found.get("text")
        if not isinstance(text, str):
            raise Unusable("it has no text")
        return encoded(text, known, facts.input_shape[0]), lists.class_number(found.get("label"), facts)

    return entry(f"line {number}", truth)
