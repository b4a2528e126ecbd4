"""Classification: one of several classes for each sample.

Owns ranks: ties are broken towards the lower class everywhere, so that a model with constant outputs is not
right about everything. The output is [n, classes], the larger the likelier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import TaskName
from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.base import Share, Whole
from compression_jobs.metrics.classification import MacroF1, TopK
from compression_jobs.readers.base import DatasetFacts, Targets
from compression_jobs.tasks.base import Floats

METRICS: Final[Mapping[str, Share | Whole]] = {"top1": TopK(1), "top5": TopK(5), "macroF1": MacroF1()}


@dataclass(frozen=True, slots=True)
class Classification:
    """See the module."""

    name: TaskName

    @property
    def metrics(self) -> Mapping[str, Share | Whole]:
        """See Task.metrics."""
        return METRICS

    def output_shape(self, facts: DatasetFacts) -> tuple[int, ...]:
        """See Task.output_shape."""
        return (facts.num_classes,)

    def judge(self, outputs: Floats, truth: Targets) -> Answers:
        """See Task.judge."""
        labels = truth["labels"]
        true = np.take_along_axis(outputs, labels[:, None], axis=1)
        before = np.arange(outputs.shape[1]) < labels[:, None]
        rank = np.sum((outputs > true) | ((outputs == true) & before), axis=1)
        records = {"labels": labels, "predicted": outputs.argmax(axis=1), "rank": rank}
        return Answers({name: record.astype(np.int32) for name, record in records.items()})

    def same(self, recorded: Floats, outputs: Floats) -> NDArray[np.bool_]:
        """The same first class."""
        alike: NDArray[np.bool_] = recorded.argmax(axis=1) == outputs.argmax(axis=1)
        return alike
