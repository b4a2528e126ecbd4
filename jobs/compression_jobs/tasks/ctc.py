"""Sequences of symbols by connectionist temporal classification (Graves et al. 2006).

Owns the reading of a model's output [n, frames, classes + 1], where class 0 is the blank and symbols are
numbered from 1: the likeliest class of each frame, repetitions joined, blanks left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from compression_contract.methods import TaskName
from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.base import Share, Whole
from compression_jobs.metrics.sequences import CharacterErrorRate, ExactMatch
from compression_jobs.readers.base import DatasetFacts, Targets
from compression_jobs.tasks.base import Floats

BLANK: Final = 0
METRICS: Final[Mapping[str, Share | Whole]] = {"CER": CharacterErrorRate(), "exactMatch": ExactMatch()}


@dataclass(frozen=True, slots=True)
class Recognition:
    """See the module."""

    name: TaskName

    @property
    def metrics(self) -> Mapping[str, Share | Whole]:
        """See Task.metrics."""
        return METRICS

    def output_shape(self, facts: DatasetFacts) -> tuple[int, ...]:
        """See Task.output_shape."""
        return (-1, facts.num_classes + 1)

    def judge(self, outputs: Floats, truth: Targets) -> Answers:
        """See Task.judge."""
        said, (symbols, offsets) = decode(outputs), (truth["symbols"], truth["offsets"])
        true = [symbols[offsets[i] : offsets[i + 1]].tolist() for i in range(len(outputs))]
        edits = [
            Levenshtein.distance(wanted, row[row != BLANK].tolist())
            for wanted, row in zip(true, said, strict=True)
        ]
        return Answers(
            {
                "symbols": said,
                "edits": np.asarray(edits, np.int32),
                "length": np.asarray([len(wanted) for wanted in true], np.int32),
            }
        )

    def same(self, recorded: Floats, outputs: Floats) -> NDArray[np.bool_]:
        """The same symbols in the same order."""
        alike: NDArray[np.bool_] = (decode(recorded) == decode(outputs)).all(axis=1)
        return alike


def decode(outputs: Floats) -> NDArray[np.int32]:
    """The symbols of each row [n, frames], filled up with blanks behind the last one."""
    best = outputs.argmax(axis=2).astype(np.int32)
    spoken = best != BLANK
    spoken[:, 1:] &= best[:, 1:] != best[:, :-1]
    # A stable sort of said before unsaid moves the symbols to the front and keeps their order.
    front = np.argsort(~spoken, axis=1, kind="stable")
    said: NDArray[np.int32] = np.where(
        np.take_along_axis(spoken, front, axis=1), np.take_along_axis(best, front, axis=1), BLANK
    )
    return said
