"""What a pod tells the operator when it ends: a few facts in its termination message.

Owns the results of all stages; those of the evaluator are in `measurements`. Everything here is data from
outside: bounded, typed, finite. Verdicts are not among it; the operator's core draws them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from compression_contract.artifacts import ArtifactRef
from compression_contract.base import Digest, Fraction, Frozen, ShortText
from compression_contract.measurements import (
    RESAMPLING_CONFIDENCE,
    Agreement,
    Estimate,
    EvaluateFacts,
    Latency,
    Measurement,
    Node,
    NonNegative,
    PairedCounts,
    PairedDifference,
    Proportion,
    Ratio,
    Speedup,
    Tally,
    Word,
)

__all__ = [
    "RESAMPLING_CONFIDENCE",
    "Agreement",
    "Estimate",
    "EvaluateFacts",
    "Failure",
    "Latency",
    "Measurement",
    "ModelSize",
    "Node",
    "NonNegative",
    "PackageFacts",
    "PairedCounts",
    "PairedDifference",
    "PreflightFacts",
    "ProbeFacts",
    "Proportion",
    "Ratio",
    "ReportFacts",
    "ResolveFacts",
    "ScanFacts",
    "SeverityCounts",
    "Speedup",
    "StageFacts",
    "StageResult",
    "SubjectReport",
    "Tally",
    "TeacherMeasurement",
    "TrainFacts",
    "Word",
]


class Failure(Frozen):
    """Why a stage could not do its work, for a person and for a condition's reason."""

    reason: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{0,63}$")]
    message: ShortText


class ResolveFacts(Frozen):
    """What was found, by digest."""

    stage: Literal["resolve"] = "resolve"
    dataset_digest: Digest
    teacher_digests: dict[str, Digest] = {}
    student_digest: Digest | None = None
    code_digest: Digest | None = None
    reader: str = ""
    """The one that the dataset is made for."""
    input_shape: tuple[int, ...]
    num_classes: Annotated[int, Field(ge=1)]
    samples: dict[str, int] = {}


class TeacherMeasurement(Frozen):
    """A teacher's quality on the test split."""

    name: Word
    value: float
    samples: Tally


class PreflightFacts(Frozen):
    """What the teachers are worth."""

    stage: Literal["preflight"] = "preflight"
    metric: Word
    teachers: tuple[TeacherMeasurement, ...]


class ModelSize(Frozen):
    """What a network holds, and what it computes for one sample."""

    parameters: Tally
    operations: Tally
    """Multiply-accumulate operations of convolutions and fully connected layers."""


class TrainFacts(Frozen):
    """What training or quantisation reports: for people only, no gate reads it."""

    stage: Literal["distill", "prune", "ptq", "qat"]
    seconds: NonNegative
    steps: Tally = 0
    resumed_at_step: Tally = 0
    """Where an interrupted training went on; 0 began at the start."""
    samples_per_second: NonNegative | None = None
    loss: float | None = None
    layers: Tally = 0
    """Quantised layers."""
    before: ModelSize | None = None
    """Of pruning: what the network was."""
    after: ModelSize | None = None
    """Of pruning: what is left of it."""
    bad_records: Tally = 0
    """Records of the dataset that could not be used and were left out."""


class PackageFacts(Frozen):
    """The pushed image."""

    stage: Literal["package"] = "package"
    repository: Annotated[str, StringConstraints(max_length=255)]
    tag: Annotated[str, StringConstraints(max_length=128)]
    manifest_digest: Digest
    layer_digest: Digest
    layer_bytes: Tally
    image_bytes: Tally
    model_digest: Digest
    golden_digest: Digest


class SeverityCounts(Frozen):
    """Findings by severity after exceptions."""

    critical: Tally = 0
    high: Tally = 0
    medium: Tally = 0
    low: Tally = 0
    unknown: Tally = 0


class ScanFacts(Frozen):
    """What the scanner found. An absent fact is an absent fact: the gate does not pass on it."""

    stage: Literal["scan"] = "scan"
    image_digest: Digest
    scanner: Word
    scanned_at: AwareDatetime
    database_updated_at: AwareDatetime | None = None
    os_family: Word = ""
    os_name: Word = ""
    end_of_life: bool | None = None
    counts: SeverityCounts
    unfixed: Tally = 0
    suppressed: Tally = 0
    expired_exceptions: Annotated[tuple[Word, ...], Field(max_length=50)] = ()
    report_digest: Digest
    sbom_digest: Digest | None = None


class SubjectReport(Frozen):
    """How one pod answered; an empty reason means as expected."""

    name: Word
    reason: Annotated[str, StringConstraints(max_length=64)] = ""
    """NotReady, WrongModel, GoldenMismatch, WrongAnswers, TooSlow, Unreachable."""
    message: Annotated[str, StringConstraints(max_length=200)] = ""
    top1_agreement: Fraction | None = None
    max_absolute_difference: NonNegative | None = None
    latency_p95_ms: NonNegative | None = None


class ProbeFacts(Frozen):
    """How the pods answered."""

    stage: Literal["probe"] = "probe"
    passes: Tally
    failures: Tally
    """Passes in which a pod did not answer as expected."""
    errors: Tally = 0
    """Passes in which a pod could not be reached, and none answered wrongly."""
    subjects: Annotated[tuple[SubjectReport, ...], Field(max_length=16)]
    live: Annotated[tuple[SubjectReport, ...], Field(max_length=4)] = ()


class ReportFacts(Frozen):
    """The page that was written; no gate reads it."""

    stage: Literal["report"] = "report"
    page: Annotated[str, StringConstraints(max_length=256)]
    """Its path in the artifact."""
    bytes: Tally


StageFacts = Annotated[
    ResolveFacts
    | PreflightFacts
    | TrainFacts
    | EvaluateFacts
    | PackageFacts
    | ScanFacts
    | ProbeFacts
    | ReportFacts,
    Field(discriminator="stage"),
]


class StageResult(Frozen):
    """The whole termination message: facts of success, or a failure, never both."""

    schema_version: Literal["v1"] = "v1"
    input_hash: Digest
    rank: Tally = 0
    """Of several pods that train together; another one than the first has nothing else to say."""
    artifact: ArtifactRef | None = None
    artifact_bytes: Tally = 0
    facts: StageFacts | None = None
    failure: Failure | None = None
