"""The numbers that gates read.

Owns what is measured of a metric: counts, a value with its interval, and the comparison of two models on the
same samples. Must not know models, files or gates; which metrics there are is each task's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from compression_contract.methods import Metric
from compression_contract.results import Estimate, PairedCounts, PairedDifference, Proportion
from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.metrics import bootstrap
from compression_jobs.metrics.answers import Answers
from compression_jobs.metrics.base import OfCounts, Share, Whole
from compression_jobs.metrics.classification import TopK

__all__ = [
    "Answers",
    "Chosen",
    "Share",
    "Whole",
    "choose",
    "difference",
    "estimate",
    "paired",
    "point",
    "proportion",
]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The metrics of one evaluation by name, in the order they were asked for."""

    shares: Mapping[str, Share]
    wholes: Mapping[str, Whole]


def choose(wanted: Iterable[Metric], known: Mapping[str, Share | Whole], num_classes: int) -> Chosen:
    """Find metrics by name.

    Args:
        wanted: what was asked for.
        known: the metrics of the task.
        num_classes: of the dataset.

    Raises:
        InvalidInput: MetricUnknown; MetricNotApplicable, the data has too few classes for it.
    """
    shares: dict[str, Share] = {}
    wholes: dict[str, Whole] = {}
    for name in (metric.name for metric in wanted):
        metric = known.get(name)
        if metric is None:
            raise InvalidInput("MetricUnknown", f"There is no metric {name!r}, only {', '.join(known)}.")
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
    """A value with its bootstrap interval at 95 %.

    Raises:
        InvalidData: MetricUndefined, the samples say nothing about it.
    """
    value, low, high = _with_interval(name, metric.of_counts(answers), len(answers), seed)
    return Estimate(name=name, value=value, low=low, high=high, samples=len(answers))


def point(chosen: Chosen, name: str, answers: Answers) -> float:
    """A metric's value alone.

    Raises:
        InvalidData: MetricUndefined.
    """
    if name in chosen.shares:
        return float(np.mean(chosen.shares[name].correct(answers)))
    return _defined(name, chosen.wholes[name].of_counts(answers), len(answers))


def difference(
    name: str, metric: Whole, candidate: Answers, baseline: Answers, seed: int
) -> PairedDifference:
    """Candidate less baseline of a metric, with the interval of resampling both by the same draws.

    Samples that are hard for both do not blur the comparison, so it is narrower than two intervals are apart.

    Raises:
        InvalidData: MetricUndefined.
    """
    ours, theirs = metric.of_counts(candidate), metric.of_counts(baseline)
    samples = len(candidate)
    value, low, high = _with_interval(name, lambda counts: ours(counts) - theirs(counts), samples, seed)
    return PairedDifference(name=name, value=value, low=low, high=high, samples=samples)


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


def _with_interval(name: str, value: OfCounts, samples: int, seed: int) -> tuple[float, float, float]:
    middle = _defined(name, value, samples)
    low, high = bootstrap.interval(value, samples, seed)
    # Resampling is not centred on the point: of few samples it can even leave it out.
    return _rounded(middle), _rounded(min(low, middle)), _rounded(max(high, middle))


def _defined(name: str, value: OfCounts, samples: int) -> float:
    """The value on the samples as they are."""
    found = value(np.ones(samples, np.int64))
    if not np.isfinite(found):
        raise InvalidData(
            "MetricUndefined",
            f"{name} has no value on these {samples} samples, they show nothing to find; "
            "correct spec.dataset.splits.",
        )
    return found


def _rounded(value: float) -> float:
    """Six digits: more would only say where the resampling began."""
    return round(value, 6)
