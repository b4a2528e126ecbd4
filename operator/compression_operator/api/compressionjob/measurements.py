"""What a CompressionJob records of measurements: values, comparisons, verdicts.

Numbers that were measured are text, so that no reader rounds them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import ApiModel, map_list
from compression_operator.api.compressionjob.texts import (
    Small,
    Text16,
    Text32,
    Text40,
    Text64,
    Text71,
    Text128,
    Text512,
    Verdict,
)
from compression_operator.api.compressionjob.work import Artifact, MetricValues
from compression_operator.api.scalars import Count, Number


class LatencyResult(ApiModel):
    """Latency of one inference, with units, such as 6.1ms."""

    p50: Annotated[Number | None, Field(description="Median.")] = None
    p90: Annotated[Number | None, Field(description="90th percentile.")] = None
    p95: Annotated[Number | None, Field(description="95th percentile.")] = None
    p99: Annotated[Number | None, Field(description="99th percentile.")] = None
    cv: Annotated[Number | None, Field(description="Coefficient of variation between repetitions.")] = None


class Node(ApiModel):
    """Where a measurement was taken."""

    cpu_model: Annotated[Text128 | None, Field(description="Name of the CPU.")] = None
    features: Annotated[
        tuple[Text32, ...], Field(max_length=16, description="Its features that matter for INT8.")
    ] = ()
    missing: Annotated[
        tuple[Text32, ...], Field(max_length=16, description="Asked for and absent: no latency counts.")
    ] = ()


class Paired(ApiModel):
    """The same samples under candidate and baseline."""

    name: Annotated[Text32, Field(description="Name of the metric.")]
    samples: Annotated[Count, Field(description="Samples compared.")]
    both: Annotated[Count, Field(description="Right under both.")]
    only_candidate: Annotated[Count, Field(description="Right under the candidate alone.")]
    only_baseline: Annotated[Count, Field(description="Right under the baseline alone.")]


class BaselineResult(ApiModel):
    """The baseline, measured in the same pod."""

    metrics: Annotated[MetricValues, Field(description="What was measured.")] = ()
    latency: Annotated[LatencyResult | None, Field(description="Latency of one inference.")] = None
    bytes: Annotated[Count | None, Field(description="Bytes of the file.")] = None


class TargetResult(ApiModel):
    """One candidate measured in one deployed configuration."""

    target: Annotated[Text32, Field(description="Name of the evaluation target.")]
    samples: Annotated[Count, Field(description="Samples of the test split.")] = 0
    metrics: Annotated[MetricValues, Field(description="What was measured.")] = ()
    latency: Annotated[LatencyResult | None, Field(description="Latency of one inference.")] = None
    bytes: Annotated[Count | None, Field(description="Bytes of the file as deployed.")] = None
    speedup: Annotated[
        Number | None,
        Field(description="The baseline's p95 by the candidate's, from calls in turns: 2 is twice as fast."),
    ] = None
    slower_than_baseline: Annotated[
        bool | None,
        Field(description="Beyond the noise: here the candidate's integers cost time instead of saving it."),
    ] = None
    runtime: Annotated[Text128 | None, Field(description="What ran the model, with its version.")] = None
    peak_memory: Annotated[
        Count | None, Field(description="Largest resident memory of the process that ran it, in bytes.")
    ] = None
    baseline: Annotated[BaselineResult | None, Field(description="The baseline, in the same pod.")] = None
    paired: Annotated[
        tuple[Paired, ...], Field(max_length=8, description="Sample by sample."), map_list("name")
    ] = ()
    agreement: Annotated[
        Number | None, Field(description="Share of samples on which file and trained model agree.")
    ] = None
    node: Annotated[Node | None, Field(description="Where it was measured.")] = None
    evaluation: Annotated[Artifact | None, Field(description="The stored measurements.")] = None
    golden_digest: Annotated[Text71 | None, Field(description="sha256 of its golden pairs.")] = None
    predictions_digest: Annotated[Text71 | None, Field(description="sha256 of its predictions.")] = None
    model_digest: Annotated[Text71 | None, Field(description="sha256 of the measured file.")] = None
    round: Annotated[Count | None, Field(description="Which measurement this is, from 0.")] = None


class GateCounts(ApiModel):
    """Measurements by outcome."""

    successful: Annotated[Small, Field(description="Measurements that passed.")] = 0
    failed: Annotated[Small, Field(description="Measurements that failed.")] = 0
    inconclusive: Annotated[Small, Field(description="Measurements that were neither.")] = 0
    error: Annotated[Small, Field(description="Measurements without a number.")] = 0


class GateStatus(ApiModel):
    """One gate's verdict on a candidate."""

    name: Annotated[Text40, Field(description="Name of the gate.")]
    type: Annotated[Text16 | None, Field(description="Type of the gate.")] = None
    target: Annotated[Text32 | None, Field(description="Evaluation target it was measured on.")] = None
    verdict: Annotated[Verdict, Field(description="Pass, Fail, Inconclusive or Error; only Pass releases.")]
    observed: Annotated[Text64 | None, Field(description="What was measured.")] = None
    required: Annotated[Text64 | None, Field(description="What was asked for.")] = None
    interval: Annotated[Text64 | None, Field(description="Confidence interval of what was measured.")] = None
    dry_run: Annotated[bool, Field(description="Whether it only records.")] = False
    counts: Annotated[GateCounts | None, Field(description="Measurements by outcome.")] = None
    reason: Annotated[Text64 | None, Field(description="One CamelCase word.")] = None
    message: Annotated[Text512 | None, Field(description="Why, in a sentence.")] = None


class CandidateStatus(ApiModel):
    """One candidate, its measurements and its gates."""

    step: Annotated[Text16, Field(description="The step that made it.")]
    state: Annotated[
        Literal["Pending", "Evaluating", "Passed", "Rejected", "Held"] | None,
        Field(description="Where it stands."),
    ] = None
    message: Annotated[Text512 | None, Field(description="Why it stands there.")] = None
    artifact: Annotated[Artifact | None, Field(description="The stored model.")] = None
    pareto_optimal: Annotated[
        bool | None,
        Field(
            description="Whether no other candidate that passed is at least as good in metrics, latency and "
            "bytes, and better in one; told with selection: Best."
        ),
    ] = None
    results: Annotated[
        tuple[TargetResult, ...], Field(max_length=4, description="By evaluation target."), map_list("target")
    ] = ()
    gates: Annotated[
        tuple[GateStatus, ...], Field(max_length=16, description="Verdicts on it."), map_list("name")
    ] = ()


class BaselineStatus(ApiModel):
    """The baseline's measurements."""

    source: Annotated[Text16, Field(description="What the baseline is.")]
    metrics: Annotated[MetricValues, Field(description="What was measured.")] = ()
    latency: Annotated[LatencyResult | None, Field(description="Latency of one inference.")] = None
    bytes: Annotated[Count | None, Field(description="Bytes of the file.")] = None
