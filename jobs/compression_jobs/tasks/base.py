"""What every task offers: the meaning of a model's one output.

Owns the Protocol. Must not import a training framework: the evaluator's image has none; the losses of a task
are in `losses.supervision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import TaskName
from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.base import Share, Whole
from compression_jobs.readers.base import DatasetFacts, Targets

Floats = NDArray[np.float32]


class Task(Protocol):
    """What a model is for; it has no state."""

    @property
    def name(self) -> TaskName:
        """As the job gives it."""
        ...

    @property
    def metrics(self) -> Mapping[str, Share | Whole]:
        """What can be measured of it, by the names that gates use."""
        ...

    def output_shape(self, facts: DatasetFacts) -> tuple[int, ...]:
        """Shape of the output for one sample; -1 where the network decides."""
        ...

    def judge(self, outputs: Floats, truth: Targets) -> Answers:
        """What the metrics need of some samples.

        Args:
            outputs: of a model, [n, *output_shape], finite.
            truth: of the same samples, in the same order.
        """
        ...

    def same(self, recorded: Floats, outputs: Floats) -> NDArray[np.bool_]:
        """Whether two models answer alike, [n]: the shipped file, and the one it was made of.

        Args:
            recorded: outputs of the one that was trained.
            outputs: of the one that is shipped, of the same shape.
        """
        ...
