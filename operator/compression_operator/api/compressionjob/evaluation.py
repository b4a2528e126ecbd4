"""How a CompressionJob is measured: deployed configurations, metrics, baseline, latency."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, Rule, map_list
from compression_operator.api.compressionjob.immutable import immutable
from compression_operator.api.compressionjob.pipeline import ExportFormat
from compression_operator.api.scalars import Label20, Label40, MetricName

CPUFeature = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+$")]
Unit = Literal["Fraction", "Raw"]


class Target(ApiModel):
    """One deployed configuration to measure in."""

    name: Annotated[Label20, Field(description="Name of the configuration within this job.")]
    runtime: Annotated[
        Label40, Field(description="Name of an evaluator of the CompressionRuntime, such as onnxruntime.")
    ]
    format: Annotated[ExportFormat, Field(description="Which exported file is measured.")]
    threads: Annotated[int, Field(ge=1, le=128, description="Threads of one inference.")] = 1
    batch_size: Annotated[int, Field(ge=1, le=65_536, description="Samples in one inference.")] = 1
    cpu_features: Annotated[
        tuple[CPUFeature, ...],
        Field(
            max_length=16,
            description="CPU features the node must have, such as avx512_vnni; checked again in the "
            "pod, and "
            "where one is missing the verdict is Inconclusive.",
        ),
        SET_LIST,
    ] = ()


class Metric(ApiModel):
    """One measure of quality."""

    name: Annotated[MetricName, Field(description="Name of the metric, such as top1, mAP or CER.")]
    direction: Annotated[
        Literal["HigherIsBetter", "LowerIsBetter"] | None,
        Field(description="Which way is better. Default: as the metric's definition says."),
    ] = None
    unit: Annotated[Unit, Field(description="Fraction: 0 to 1, so 0.85 and never 85. Raw: any number.")] = (
        "Fraction"
    )


class Baseline(ApiModel):
    """What a candidate is compared with."""

    rules = (
        Rule(
            "(self.source == 'Fixed') == has(self.value)",
            "value is required with source: Fixed and refused without it",
            field_path=".value",
        ),
    )

    source: Annotated[
        Literal["FP32Student", "Teacher", "Live", "Fixed"],
        Field(
            description="FP32Student: the float model the first candidate was made of, measured in "
            "the same pod. "
            "Teacher: the first teacher. Live: what the first promotion target serves. Fixed: the "
            "given value."
        ),
    ] = "FP32Student"
    value: Annotated[
        float | None, Field(ge=-1e9, le=1e9, description="The value of the first metric, with source: Fixed.")
    ] = None


class LatencyProtocol(ApiModel):
    """How latency is measured."""

    warmup: Annotated[int, Field(ge=0, le=100_000, description="Inferences before the clock counts.")] = 50
    iterations: Annotated[int, Field(ge=1, le=1_000_000, description="Inferences of one repetition.")] = 500
    repeats: Annotated[
        int, Field(ge=1, le=100, description="Repetitions, alternating with the baseline.")
    ] = 3
    max_cv: Annotated[
        float,
        Field(
            alias="maxCV",
            gt=0,
            le=10,
            description="Largest coefficient of variation between repetitions; above it a latency gate is "
            "Inconclusive.",
        ),
    ] = 0.25


class Evaluation(ApiModel):
    """How candidates are measured, on the evaluator's image and without user code."""

    rules = immutable("evaluation")

    targets: Annotated[
        tuple[Target, ...] | None,
        Field(
            min_length=1,
            max_length=4,
            description="The deployed configurations. Default: spec.defaults.evaluation.targets of "
            "the runtime.",
        ),
        map_list("name"),
    ] = None
    metrics: Annotated[
        tuple[Metric, ...] | None,
        Field(
            min_length=1,
            max_length=8,
            description="What is measured; the first is the main one. Default: the task's metrics in "
            "spec.defaults.evaluation.metrics of the runtime.",
        ),
        map_list("name"),
    ] = None
    baseline: Annotated[Baseline, Field(description="What a candidate is compared with.")] = Baseline()
    latency: Annotated[LatencyProtocol, Field(description="How latency is measured.")] = LatencyProtocol()
    max_samples: Annotated[
        int, Field(ge=0, le=100_000_000, description="Samples of the test split to use; 0: all.")
    ] = 0
    golden_samples: Annotated[
        int,
        Field(ge=1, le=512, description="Input and output pairs shipped with the model to check a release."),
    ] = 64
    min_agreement: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Least share of samples on which the exported file and the model as trained "
            "agree; below "
            "it the job fails with ExporterDisagrees.",
        ),
    ] = 0.95
