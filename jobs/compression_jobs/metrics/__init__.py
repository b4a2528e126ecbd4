"""The numbers that gates read, by name.

Owns the registry, the two shapes a metric can have, and what is measured of them. Must not know models, files
or gates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import Metric
from compression_contract.results import Estimate, PairedCounts, Proportion
from compression_jobs.errors import InvalidInput
from compression_jobs.metrics import bootstrap
from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.classification import MacroF1, TopK


@runtime_checkable
class Share(Protocol):
    """A metric that is a share of samples; its interval follows from the counts."""

    def correct(self, answers: Answers) -> NDArray[np.bool_]:
        """Whether each sample counts as right."""


@runtime_checkable
class Whole(Protocol):
    """A metric of all samples together; its interval comes from resampling."""

    def value(
        self, labels: NDArray[np.int64], predicted: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> float:
        """The metric where sample i occurs `counts[i]` times."""


METRICS: Final[Mapping[str, Share | Whole]] = {"top1": TopK(1), "top5": TopK(5), "macroF1": MacroF1()}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The metrics of one evaluation by name, in the order they were asked for."""

    shares: Mapping[str, Share]
    wholes: Mapping[str, Whole]


def choose(wanted: Iterable[Metric], num_classes: int) -> Chosen:
    """Find metrics by name.

    Raises:
        InvalidInput: MetricUnknown; MetricNotApplicable, the data has too few classes for it.
    """
    shares: dict[str, Share] = {}
    wholes: dict[str, Whole] = {}
    for name in (metric.name for metric in wanted):
        metric = METRICS.get(name)
        if metric is None:
            raise InvalidInput("MetricUnknown", f"There is no metric {name!r}, only {', '.join(METRICS)}.")
        if isinstance(metric, TopK) and metric.k >= num_classes:
            raise InvalidInput(
                "MetricNotApplicable",
                f"{name} is always 1 with {num_classes} classes; choose a stricter metric.",
            )
        if isinstance(metric, Share):
            shares[name] = metric
        else:
            wholes[name] = metric
    return Chosen(shares, wholes)


def proportion(name: str, metric: Share, answers: Answers) -> Proportion:
    """A share as counts."""
    return Proportion(name=name, successes=int(metric.correct(answers).sum()), samples=len(answers))


def estimate(name: str, metric: Whole, answers: Answers, seed: int) -> Estimate:
    """A value with its bootstrap interval at 95 %."""
    pairs = np.stack([answers.labels, answers.predicted])
    (labels, predicted), counts = np.unique(pairs, axis=1, return_counts=True)
    low, high = bootstrap.interval(lambda drawn: metric.value(labels, predicted, drawn), counts, seed)
    value = metric.value(labels, predicted, counts)
    return Estimate(
        name=name, value=_rounded(value), low=_rounded(low), high=_rounded(high), samples=len(answers)
    )


def paired(name: str, metric: Share, candidate: Answers, baseline: Answers) -> PairedCounts:
    """How often which of two models is right about the same samples."""
    ours, theirs = metric.correct(candidate), metric.correct(baseline)
    return PairedCounts(
        name=name,
        samples=len(candidate),
        both=int((ours & theirs).sum()),
        only_candidate=int((ours & ~theirs).sum()),
        only_baseline=int((theirs & ~ours).sum()),
    )


def _rounded(value: float) -> float:
    """Six digits: more would only say where the resampling began."""
    return round(value, 6)
