"""ModelVersion: the durable evidence of one release, written by the operator alone.

It outlives the job that made it. Its identity is model, image and artifact; everything else in it is the
provenance of its first writer.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import ApiModel, Column, KindInfo, Resource, Rule, map_list
from compression_operator.api.compressionjob.gates import GateType
from compression_operator.api.compressionjob.pipeline import ExportFormat
from compression_operator.api.compressionjob.release import ScanException, Thresholds
from compression_operator.api.compressionjob.status import MetricValues, NamedDigest, Verdict
from compression_operator.api.meta import Conditions, Counts, ObjectMeta
from compression_operator.api.scalars import (
    S3URI,
    Count,
    Digest,
    ImageRef,
    Label20,
    Label40,
    Label63,
    Number,
    Repository,
    SemVer,
    Time,
)

Text64 = Annotated[str, Field(max_length=64)]
Text512 = Annotated[str, Field(max_length=512)]


class Image(ApiModel):
    """The serving image."""

    repository: Annotated[Repository, Field(description="Where it was pushed.")]
    tag: Annotated[str | None, Field(max_length=128, description="Its tag; deployments use the digest.")] = (
        None
    )
    manifest_digest: Annotated[Digest, Field(description="Digest of the image's manifest.")]
    layer_digest: Annotated[Digest | None, Field(description="Digest of the model layer.")] = None
    bytes: Annotated[Count | None, Field(description="Size of the image.")] = None
    layer_bytes: Annotated[Count | None, Field(description="Size of the model layer.")] = None

    @property
    def reference(self) -> str:
        """The image by digest, as a container names it."""
        return f"{self.repository}@{self.manifest_digest}"


class Tolerance(ApiModel):
    """How far an answer may be from the golden one on another machine."""

    max_abs_diff: Annotated[Number, Field(description="Largest difference of an output, as text.")] = "0.05"
    top1_agreement: Annotated[
        Number, Field(description="Least share of samples with the same first answer, as text.")
    ] = "0.99"


class ModelArtifact(ApiModel):
    """The model's file as it was gated."""

    uri: Annotated[S3URI | None, Field(description="Folder in the object store.")] = None
    manifest_digest: Annotated[Digest, Field(description="sha256 of its manifest.json.")]
    format: Annotated[ExportFormat, Field(description="Format of the file.")]
    model_digest: Annotated[Digest | None, Field(description="sha256 of the file.")] = None
    golden_digest: Annotated[Digest, Field(description="sha256 of the golden pairs shipped with it.")]
    tolerance: Annotated[Tolerance, Field(description="How far an answer may be from the golden one.")] = (
        Tolerance()
    )


class BaselineEvidence(ApiModel):
    """What it was compared with."""

    source: Annotated[str, Field(max_length=16, description="What the baseline is.")]
    metrics: Annotated[MetricValues, Field(description="What was measured.")] = ()
    latency_p95: Annotated[
        Number | None, Field(alias="latencyP95", description="95th percentile, such as 6.1ms.")
    ] = None
    bytes: Annotated[Count | None, Field(description="Bytes of its file.")] = None


class EvaluationEvidence(ApiModel):
    """What was measured, and in which configuration."""

    target: Annotated[Label20, Field(description="Name of the evaluation target.")]
    runtime: Annotated[Label40, Field(description="Evaluator that measured.")]
    cpu_model: Annotated[str | None, Field(max_length=128, description="Processor it was measured on.")] = (
        None
    )
    cpu_features: Annotated[
        tuple[Annotated[str, Field(max_length=32)], ...],
        Field(max_length=16, description="Features of that processor that matter for INT8."),
    ] = ()
    samples: Annotated[Count, Field(description="Samples of the test split.")]
    metrics: Annotated[MetricValues, Field(description="What was measured; the first is the main one.")]
    latency_p95: Annotated[
        Number | None, Field(alias="latencyP95", description="95th percentile, such as 6.1ms.")
    ] = None
    bytes: Annotated[Count | None, Field(description="Bytes of the file as deployed.")] = None
    baseline: Annotated[BaselineEvidence | None, Field(description="What it was compared with.")] = None


class GateEvidence(ApiModel):
    """One gate's verdict."""

    name: Annotated[Label40, Field(description="Name of the gate.")]
    type: Annotated[GateType | None, Field(description="Type of the gate.")] = None
    verdict: Annotated[Verdict, Field(description="What was found.")]
    observed: Annotated[Text64 | None, Field(description="What was measured.")] = None
    required: Annotated[Text64 | None, Field(description="What was asked for.")] = None
    dry_run: Annotated[bool, Field(description="Whether it only recorded.")] = False


class ScanEvidence(ApiModel):
    """What the scanner found before the release."""

    counts: Annotated[Counts, Field(description="Findings by severity, exceptions left out.")]
    ignore_unfixed: Annotated[bool, Field(description="Whether findings without a fix were left out.")] = (
        False
    )
    thresholds: Annotated[Thresholds, Field(description="What was accepted.")] = Thresholds()
    exceptions: Annotated[
        tuple[ScanException, ...],
        Field(max_length=50, description="Findings accepted for a while."),
        map_list("id"),
    ] = ()
    scanned_at: Annotated[Time, Field(description="When.")]
    scanner: Annotated[Text64 | None, Field(description="Which scanner and version.")] = None
    db_updated_at: Annotated[Time | None, Field(description="Age of its database.")] = None
    sbom_digest: Annotated[Digest | None, Field(description="sha256 of the bill of materials.")] = None
    report_uri: Annotated[
        Annotated[str, Field(max_length=580)] | None,
        Field(alias="reportURI", description="The whole report."),
    ] = None


class Signature(ApiModel):
    """Who signed."""

    hook: Annotated[Label40, Field(description="The hook that signed.")]
    digest: Annotated[Digest, Field(description="What was signed.")]


class Source(ApiModel):
    """Where the release comes from."""

    kind: Annotated[
        Literal["CompressionJob", "Imported"],
        Field(description="A job of this project, or brought in by hand."),
    ]
    namespace: Annotated[Label63 | None, Field(description="Namespace of the job.")] = None
    name: Annotated[Label63 | None, Field(description="Name of the job.")] = None
    uid: Annotated[Text64 | None, Field(description="uid of the job.")] = None
    spec_hash: Annotated[Digest | None, Field(description="sha256 of the job's spec.")] = None
    dataset_digest: Annotated[Digest | None, Field(description="Digest of the dataset.")] = None
    teacher_digests: Annotated[
        tuple[NamedDigest, ...], Field(max_length=8, description="Digests of the teachers."), map_list("name")
    ] = ()
    code_digest: Annotated[Digest | None, Field(description="Digest of the user code.")] = None
    images: Annotated[
        dict[str, ImageRef], Field(max_length=16, description="Images that did the work, by role.")
    ] = {}


class Revocation(ApiModel):
    """Why the release must not be used any more."""

    reason: Annotated[str, Field(min_length=3, max_length=512, description="Why, in a sentence.")]
    at: Annotated[Time, Field(description="When.")]
    by: Annotated[str, Field(min_length=1, max_length=253, description="Who said so.")]


class ModelVersionSpec(ApiModel):
    """The evidence; immutable but for `revoked`, which can only be added."""

    rules = (
        Rule(
            "!has(oldSelf.revoked) || (has(self.revoked) && self.revoked == oldSelf.revoked)",
            "a revocation stays: release a new version instead",
            field_path=".revoked",
            reason="FieldValueForbidden",
        ),
        *(
            Rule(
                f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == "
                f"oldSelf.{name})",
                f"spec.{name} is evidence and is immutable; only revoked may be added",
                reason="FieldValueForbidden",
            )
            for name in ("version", "signature")
        ),
        *(
            Rule(
                f"self.{name} == oldSelf.{name}",
                f"spec.{name} is evidence and is immutable; only revoked may be added",
                reason="FieldValueForbidden",
            )
            for name in ("model", "image", "artifact", "evaluation", "gates", "scan", "source")
        ),
    )

    model: Annotated[Label40, Field(description="Name of the model.")]
    version: Annotated[SemVer | None, Field(description="Semantic version, where the author gave one.")] = (
        None
    )
    image: Annotated[Image, Field(description="The serving image.")]
    artifact: Annotated[ModelArtifact, Field(description="The model's file as it was gated.")]
    evaluation: Annotated[EvaluationEvidence, Field(description="What was measured.")]
    gates: Annotated[
        tuple[GateEvidence, ...], Field(max_length=16, description="Verdicts of the gates."), map_list("name")
    ] = ()
    scan: Annotated[ScanEvidence, Field(description="What the scanner found before the release.")]
    signature: Annotated[Signature | None, Field(description="Who signed.")] = None
    source: Annotated[Source, Field(description="Where the release comes from.")]
    revoked: Annotated[
        Revocation | None,
        Field(description="Why it must not be used any more; stops new promotions. One-way."),
    ] = None


class RescanStatus(ApiModel):
    """The latest scan after the release."""

    counts: Annotated[Counts, Field(description="Findings by severity, exceptions left out.")] = Counts()
    scanned_at: Annotated[Time | None, Field(description="When.")] = None
    expired_exceptions: Annotated[
        tuple[Text64, ...], Field(max_length=50, description="Exceptions that no longer count.")
    ] = ()


class LiveTarget(ApiModel):
    """One place where it is live."""

    namespace: Annotated[Label63, Field(description="Namespace of the target.")]
    target: Annotated[Label63, Field(description="Name of the ServingTarget.")]


class LiveIn(ApiModel):
    """Where it is live."""

    count: Annotated[Count, Field(description="Number of targets.")] = 0
    sample: Annotated[tuple[LiveTarget, ...], Field(max_length=20, description="Some of them.")] = ()


class ModelVersionStatus(ApiModel):
    """What happened to it since."""

    observed_generation: Annotated[Count | None, Field(description="metadata.generation this speaks of.")] = (
        None
    )
    scan: Annotated[RescanStatus | None, Field(description="The latest scan after the release.")] = None
    live_in: Annotated[LiveIn | None, Field(description="Where it is live.")] = None
    conditions: Annotated[Conditions, Field(description="Available, Vulnerable, Revoked, InUse.")] = ()


class ModelVersion(Resource):
    """One released model: image, measurements, gates, scan and where it came from."""

    info = KindInfo(
        kind="ModelVersion",
        plural="modelversions",
        short_name="mv",
        scope="Namespaced",
        categories=("modelops",),
        columns=(
            Column("Model", ".spec.model"),
            Column("Version", ".spec.version"),
            Column("Metric", ".spec.evaluation.metrics[0].value"),
            Column("P95", ".spec.evaluation.latencyP95"),
            Column("Critical", ".spec.scan.counts.critical", "integer"),
            Column("Live", ".status.liveIn.count", "integer"),
            Column("Revoked", ".spec.revoked.at", "date"),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Digest", ".spec.image.manifestDigest", priority=1),
            Column("Job", ".spec.source.name", priority=1),
        ),
        description=(
            "ModelVersion is the durable evidence of one release: image, measurements, gates, scan "
            "and origin. "
            "The operator writes it; it outlives its job."
        ),
    )

    metadata: ObjectMeta
    spec: Annotated[ModelVersionSpec, Field(description="The evidence.")]
    status: Annotated[ModelVersionStatus, Field(description="What happened to it since.")] = (
        ModelVersionStatus()
    )
