"""What the operator tells a pod to do: one frozen document per stage, in an annotation of its Job.

Owns the document and the inputs of the stages that look and measure; those that train and those that release
are in `training` and `release`. Must not hold a credential: those are mounted from the tenant's Secrets.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from compression_contract.artifacts import ArtifactRef
from compression_contract.base import S3URI, Digest, Frozen
from compression_contract.methods import (
    DatasetInput,
    EvaluationTarget,
    LatencyPlan,
    Metric,
    Positive,
    Splits,
    TaskName,
)
from compression_contract.release import (
    PackageInput,
    ProbeInput,
    ProbePaths,
    ProbeSubject,
    ScanException,
    ScanInput,
)
from compression_contract.report import RunSummary
from compression_contract.training import (
    DistillInput,
    Formats,
    PreflightInput,
    PrepareDataInput,
    PruneInput,
    PTQInput,
    QATInput,
    TrainTeacherInput,
)

__all__ = [
    "DistillInput",
    "EvaluateInput",
    "Formats",
    "ObjectStore",
    "PTQInput",
    "PackageInput",
    "PreflightInput",
    "PrepareDataInput",
    "ProbeInput",
    "ProbePaths",
    "ProbeSubject",
    "PruneInput",
    "QATInput",
    "ReportInput",
    "ReportedArtifact",
    "ResolveInput",
    "RunRef",
    "ScanException",
    "ScanInput",
    "StageInput",
    "StageParameters",
    "TrainTeacherInput",
    "Unresolved",
]


class Unresolved(Frozen):
    """Something named by place; a digest, where the author gave one, is enforced."""

    name: str
    uri: S3URI
    digest: Digest | None = None


class ResolveInput(Frozen):
    """Check access, hash what came without digest, read the dataset's shape: before anything costs time."""

    stage: Literal["resolve"] = "resolve"
    task: TaskName = "ImageClassification"
    dataset: Unresolved
    reader: str = "npz"
    splits: Splits = Splits()
    teachers: tuple[Unresolved, ...] = ()
    student: Unresolved | None = None
    code: Unresolved | None = None
    """The author's own network and reader; its digest is never left open."""


class EvaluateInput(Frozen):
    """Measure a candidate, and beside it its float baseline, as it will be deployed."""

    stage: Literal["evaluate"] = "evaluate"
    task: TaskName = "ImageClassification"
    dataset: DatasetInput
    candidate: ArtifactRef
    baseline: ArtifactRef | None = None
    target: EvaluationTarget
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1, max_length=8)]
    latency: LatencyPlan = LatencyPlan()
    max_samples: Annotated[int, Field(ge=0)] = 0
    """0 is the whole test split."""
    golden_samples: Annotated[int, Field(ge=1, le=512)] = 64


class ReportedArtifact(Frozen):
    """A piece of evidence of a run."""

    step: str
    role: Literal["train", "candidate", "evaluation", "scan"]
    target: str = ""
    """Of an evaluation: the deployed configuration that was measured."""
    artifact: ArtifactRef


class ReportInput(Frozen):
    """Draw the page that a person reads after a run, passed or failed."""

    stage: Literal["report"] = "report"
    task: TaskName = "ImageClassification"
    summary: RunSummary
    artifacts: Annotated[tuple[ReportedArtifact, ...], Field(max_length=64)] = ()


StageParameters = Annotated[
    ResolveInput
    | PreflightInput
    | DistillInput
    | PruneInput
    | PTQInput
    | QATInput
    | EvaluateInput
    | PackageInput
    | ScanInput
    | ProbeInput
    | ReportInput
    | PrepareDataInput
    | TrainTeacherInput,
    Field(discriminator="stage"),
]


class RunRef(Frozen):
    """The object a pod works for: a CompressionJob, or a Promotion for probes."""

    namespace: str
    name: str
    uid: str


class ObjectStore(Frozen):
    """Where objects live; the credentials are mounted."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+$", max_length=253)]
    region: str = "us-east-1"


class StageInput(Frozen):
    """The whole document of one stage."""

    schema_version: Literal["v1"] = "v1"
    run: RunRef
    input_hash: Digest
    store: ObjectStore | None = None
    output: S3URI | None = None
    """The artifact's place; None for stages that store nothing."""
    ca_bundle: str = ""
    """PEM certificates trusted for storage, registry and scanner beside the system's own."""
    checkpoint_seconds: Positive | None = None
    """How often training stores what it needs to go on after an interruption; None is never."""
    parameters: StageParameters
