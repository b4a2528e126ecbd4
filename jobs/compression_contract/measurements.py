"""What the evaluator measured of a model, as numbers: quality with what intervals need, latency, size, node.

Owns those facts. Verdicts are not among them; the operator's core draws them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from compression_contract.base import Digest, Fraction, Frozen

NonNegative = Annotated[float, Field(ge=0)]

Tally = Annotated[int, Field(ge=0)]

Word = Annotated[str, StringConstraints(max_length=128)]


class Proportion(Frozen):
    """A metric that is a share of samples: the interval follows from the counts."""

    name: Word
    successes: Tally
    samples: Tally


RESAMPLING_CONFIDENCE: Final = 0.95
"""Level of the intervals that an evaluator resamples: it cannot know which level a gate will ask for."""


class Estimate(Frozen):
    """A metric that is no proportion, with the evaluator's bootstrap interval."""

    name: Word
    value: float
    low: float | None = None
    high: float | None = None
    samples: Tally


class PairedCounts(Frozen):
    """The same samples under candidate and baseline; both_wrong follows from the total."""

    name: Word
    samples: Tally
    both: Tally
    only_candidate: Tally
    only_baseline: Tally


class PairedDifference(Frozen):
    """Candidate less baseline of a metric that is no proportion, resampled over the same samples."""

    name: Word
    value: float
    low: float
    high: float
    samples: Tally


class Latency(Frozen):
    """Milliseconds of one call; `cv` is the variation of p95 between rounds."""

    p50: NonNegative
    p90: NonNegative
    p95: NonNegative
    p99: NonNegative
    cv: NonNegative


class Agreement(Frozen):
    """Share of samples on which the shipped file answers as the fake-quantised model did."""

    value: Fraction
    samples: Tally


class Node(Frozen):
    """The processor that measured."""

    cpu_model: Word
    features: Annotated[tuple[Word, ...], Field(max_length=16)] = ()
    missing: Annotated[tuple[Word, ...], Field(max_length=16)] = ()
    """Required features that this processor lacks: with one of them no latency counts."""
    cpus: Tally = 0
    """Processors that the evaluator's process may use; 0 is unknown."""
    governor: Annotated[str, StringConstraints(max_length=32)] = ""
    """How the kernel sets their clock; empty where it does not say, as in most virtual machines."""
    throttled: Tally = 0
    """Periods in which the pod's CPU limit held the process back while time was taken."""


class Ratio(Frozen):
    """A quotient with its 95 % interval."""

    value: NonNegative
    low: NonNegative
    high: NonNegative


class Speedup(Frozen):
    """The baseline's latency by the candidate's, from calls in turns: 2 is twice as fast, 0.5 half."""

    p50: Ratio
    p95: Ratio


class Measurement(Frozen):
    """All numbers of one model file on one target."""

    proportions: Annotated[tuple[Proportion, ...], Field(max_length=8)] = ()
    estimates: Annotated[tuple[Estimate, ...], Field(max_length=8)] = ()
    latency: Latency | None = None
    bytes: Tally
    peak_resident_bytes: Tally | None = None


class EvaluateFacts(Frozen):
    """What the evaluator measured on the runtime that serves."""

    stage: Literal["evaluate"] = "evaluate"
    target: Word
    samples: Tally
    bad_records: Tally = 0
    """Records of the test split that could not be used; `samples` does not count them."""
    candidate: Measurement
    baseline: Measurement | None = None
    paired: Annotated[tuple[PairedCounts, ...], Field(max_length=8)] = ()
    differences: Annotated[tuple[PairedDifference, ...], Field(max_length=8)] = ()
    agreement: Agreement | None = None
    runtime: Word = ""
    """What ran the model, with its version."""
    speedup: Speedup | None = None
    slower_than_baseline: bool = False
    """Beyond the noise: this processor or runtime gains nothing by the candidate's integers."""
    golden_digest: Digest
    predictions_digest: Digest
    model_digest: Digest
    node: Node
