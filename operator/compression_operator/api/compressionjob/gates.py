"""The gates of a CompressionJob: what a candidate must reach before it is released."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import ApiModel, Rule
from compression_operator.api.compressionjob.immutable import immutable
from compression_operator.api.scalars import Duration, Label20, Label40, MetricName, Quantity

GateType = Literal["Metric", "MetricDrop", "Size", "Latency", "Vulnerability"]
GATE_MEMBERS: dict[GateType, str] = {
    "Metric": "metric",
    "MetricDrop": "metricDrop",
    "Size": "size",
    "Latency": "latency",
    "Vulnerability": "vulnerability",
}
MAX_GATES = 16


class MetricGate(ApiModel):
    """Bounds on one metric of the candidate."""

    rules = (
        Rule("has(self.min) || has(self.max)", "give min, max or both"),
        Rule(
            "!has(self.min) || !has(self.max) || self.min <= self.max",
            "min must not be above max: swap them",
        ),
    )

    name: Annotated[MetricName, Field(description="Name of the metric.")]
    min: Annotated[
        float | None, Field(ge=-1e9, le=1e9, description="Least value; 0 to 1 for a Fraction (0.85, not 85).")
    ] = None
    max: Annotated[
        float | None, Field(ge=-1e9, le=1e9, description="Largest value; 0 to 1 for a Fraction.")
    ] = None


class MetricDropGate(ApiModel):
    """Bound on how much worse than the baseline the candidate may be, on the same samples."""

    name: Annotated[MetricName, Field(description="Name of the metric.")]
    max: Annotated[
        float,
        Field(ge=0, le=1e9, description="Largest loss, in the metric's better direction: 0.01 is one point."),
    ]
    mode: Annotated[
        Literal["Absolute", "Relative"],
        Field(description="Absolute: baseline - candidate. Relative: divided by the baseline."),
    ] = "Absolute"


class SizeGate(ApiModel):
    """Bounds on the deployed bytes."""

    rules = (
        Rule("has(self.max) || has(self.minRatio)", "give max, minRatio or both"),
        Rule(
            "!has(self.max) || (isQuantity(string(self.max)) && "
            "quantity(string(self.max)).isGreaterThan(quantity('0')))",
            "max must be a positive quantity such as 12Mi",
            field_path=".max",
        ),
    )

    max: Annotated[Quantity | None, Field(description="Largest size, such as 12Mi.")] = None
    min_ratio: Annotated[
        float | None,
        Field(gt=0, le=100_000, description="Least ratio of the baseline's bytes to the candidate's."),
    ] = None
    of: Annotated[
        Literal["ModelLayer", "Image"], Field(description="The model's file as deployed, or the whole image.")
    ] = "ModelLayer"


class LatencyGate(ApiModel):
    """Bounds on the latency of one inference in the target's configuration."""

    rules = (
        Rule("has(self.max) || has(self.minSpeedup)", "give max, minSpeedup or both"),
        Rule("!has(self.max) || self.max.matches('[1-9]')", "max must be above 0", field_path=".max"),
    )

    percentile: Annotated[
        Literal["P50", "P90", "P95", "P99"], Field(description="Which percentile is bounded.")
    ] = "P95"
    max: Annotated[Duration | None, Field(description="Longest time, such as 8ms.")] = None
    min_speedup: Annotated[
        float | None,
        Field(
            gt=0, le=100_000, description="Least ratio of the baseline's time to the candidate's, same run."
        ),
    ] = None


class VulnerabilityGate(ApiModel):
    """The thresholds of spec.scan; it has no settings of its own and is written as {}."""


class Limits(ApiModel):
    """How many measurements may go wrong before the gate's verdict is final."""

    failure: Annotated[int, Field(ge=0, le=100, description="Repeated measurements after a failure.")] = 0
    inconclusive: Annotated[
        int, Field(ge=0, le=100, description="Repeated measurements after an inconclusive one.")
    ] = 1
    error: Annotated[
        int, Field(ge=0, le=100, description="Repeated measurements after one that gave no number.")
    ] = 3


class Gate(ApiModel):
    """One gate; it has exactly the member that belongs to its type."""

    rules = (
        Rule(
            " && ".join(
                f"(self.type == '{kind}') == has(self.{member})" for kind, member in GATE_MEMBERS.items()
            ),
            message_expression="'gate \"' + self.name + '\" has type ' + self.type + ': it must have "
            "exactly the "
            "member of that type (metric, metricDrop, size, latency, vulnerability)'",
        ),
        Rule(
            "self.confidence == 0.0 || self.confidence >= 0.5",
            "confidence is 0 (point estimate) or 0.5 to 0.999",
            field_path=".confidence",
        ),
    )

    name: Annotated[Label40, Field(description="Name of the gate.")]
    type: Annotated[
        GateType, Field(description="What is bounded; the member of the same name holds the bounds.")
    ]
    target: Annotated[
        Label20 | None,
        Field(description="Which evaluation target is measured. Default: packaging.target."),
    ] = None
    metric: Annotated[MetricGate | None, Field(description="Bounds of type Metric.")] = None
    metric_drop: Annotated[MetricDropGate | None, Field(description="Bound of type MetricDrop.")] = None
    size: Annotated[SizeGate | None, Field(description="Bounds of type Size.")] = None
    latency: Annotated[LatencyGate | None, Field(description="Bounds of type Latency.")] = None
    vulnerability: Annotated[
        VulnerabilityGate | None,
        Field(description="Type Vulnerability: {}; the thresholds stand in spec.scan."),
    ] = None
    confidence: Annotated[
        float,
        Field(
            ge=0,
            le=0.999,
            description="Level of the interval: its lower end at or above min passes, its upper end "
            "below min "
            "fails, anything else is inconclusive. 0: compare the point estimate.",
        ),
    ] = 0.95
    dry_run: Annotated[bool, Field(description="Measure and record, never block.")] = False
    on_inconclusive: Annotated[
        Literal["Fail", "Hold"],
        Field(description="Fail the candidate, or wait for a person up to holdTimeout."),
    ] = "Fail"
    hold_timeout: Annotated[Duration, Field(description="How long Hold waits.")] = timedelta(hours=72)
    limits: Annotated[Limits, Field(description="How many measurements may go wrong.")] = Limits()


GATES_RULES = (
    *immutable("gates"),
    Rule(
        "self.exists(g, g.type == 'Metric' && !g.dryRun)",
        "at least one gate of type Metric without dryRun is required",
    ),
)
