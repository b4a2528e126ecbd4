"""The two shapes that a metric can have.

Owns the Protocols. A new metric is one of these and a name in its task's `metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from compression_jobs.metrics.answers import Answers

Counts = NDArray[np.int64]
"""How often each of n samples occurs, [n]: all ones for the data themselves, other numbers in a resample."""

OfCounts = Callable[[Counts], float]


@runtime_checkable
class Share(Protocol):
    """A metric that is a share of samples; its interval follows from the counts."""

    def correct(self, answers: Answers) -> NDArray[np.bool_]:
        """Whether each sample counts as right."""


@runtime_checkable
class Whole(Protocol):
    """A metric of all samples together; its interval comes from resampling."""

    def of_counts(self, answers: Answers) -> OfCounts:
        """The metric as a function of how often each sample occurs.

        What does not depend on the counts is computed here, once: the function is called for each resample.
        It gives NaN where the metric is not defined, such as a recall with nothing to find.
        """
