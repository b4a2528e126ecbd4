"""The status of a CompressionJob: what was resolved, what ran, what was measured, what came out.

Numbers that were measured are text, so that no reader rounds them. `stage` and `progressPercent` are for
people; no decision reads them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression_operator.api.base import OPAQUE, ApiModel, map_list
from compression_operator.api.compressionjob.evaluation import Evaluation
from compression_operator.api.compressionjob.inputs import Storage
from compression_operator.api.compressionjob.measurements import (
    BaselineResult,
    BaselineStatus,
    CandidateStatus,
    GateCounts,
    GateStatus,
    LatencyResult,
    Node,
    Paired,
    TargetResult,
)
from compression_operator.api.compressionjob.outcome import (
    ImageStatus,
    ObjectRef,
    PromotionRecord,
    Report,
    ScanStatus,
    SignatureStatus,
)
from compression_operator.api.compressionjob.pipeline import Export, Pipeline
from compression_operator.api.compressionjob.release import Packaging
from compression_operator.api.compressionjob.texts import (
    Image,
    State,
    Text16,
    Text32,
    Text40,
    Text63,
    Text64,
    Text71,
    Text512,
    Verdict,
)
from compression_operator.api.compressionjob.work import (
    Artifact,
    Attempts,
    Child,
    LastFailure,
    MetricValue,
    MetricValues,
    Progress,
    Work,
)
from compression_operator.api.meta import Conditions
from compression_operator.api.scalars import Count, Number, Time

__all__ = [
    "Artifact",
    "Attempts",
    "BaselineResult",
    "BaselineStatus",
    "CandidateStatus",
    "Child",
    "CompressionJobStatus",
    "GateCounts",
    "GateStatus",
    "Hold",
    "ImageStatus",
    "LastFailure",
    "LatencyResult",
    "MetricValue",
    "MetricValues",
    "NamedDigest",
    "Node",
    "ObjectRef",
    "Paired",
    "Progress",
    "PromotionRecord",
    "Report",
    "Resolved",
    "RuntimeSnapshot",
    "ScanStatus",
    "Selected",
    "SignatureStatus",
    "State",
    "Summary",
    "TargetResult",
    "TeacherStatus",
    "Verdict",
    "Work",
]


class RuntimeSnapshot(ApiModel):
    """The CompressionRuntime as it was at the start; later edits do not move a running job."""

    name: Annotated[Text63, Field(description="Name of the CompressionRuntime.")]
    generation: Annotated[Count, Field(description="Its metadata.generation.")]
    runner: Annotated[Image, Field(description="Image of training pods.")]
    evaluators: Annotated[
        dict[str, Image], Field(max_length=8, description="Images that measure, by evaluator name.")
    ] = {}
    serving_base: Annotated[Image, Field(description="Image the model layer is put on.")]
    tools: Annotated[Image, Field(description="Image that resolves, packages and scans.")]
    endpoint: Annotated[Text512 | None, Field(description="Address of the object store.")] = None
    region: Annotated[Text40 | None, Field(description="Region of the object store.")] = None
    scanner: Annotated[Text512 | None, Field(description="Address of the scanner.")] = None


class NamedDigest(ApiModel):
    """A digest by name."""

    name: Annotated[Text32, Field(description="Name of what was resolved.")]
    digest: Annotated[Text71, Field(description="sha256 of its manifest.json.")]


class Resolved(ApiModel):
    """What the author left open, and what it came to; in force for the whole run."""

    storage: Annotated[
        Storage | None, OPAQUE, Field(description="spec.storage with the runtime's defaults.")
    ] = None
    pipeline: Annotated[
        Pipeline | None, OPAQUE, Field(description="spec.pipeline with the default plan and lengths.")
    ] = None
    export: Annotated[Export | None, OPAQUE, Field(description="spec.export with defaults.")] = None
    evaluation: Annotated[
        Evaluation | None, OPAQUE, Field(description="spec.evaluation with the runtime's defaults.")
    ] = None
    packaging: Annotated[
        Packaging | None, OPAQUE, Field(description="spec.packaging with the runtime's defaults.")
    ] = None
    dataset_digest: Annotated[Text71 | None, Field(description="Digest of the dataset.")] = None
    student_digest: Annotated[Text71 | None, Field(description="Digest of the stored student.")] = None
    code_digest: Annotated[Text71 | None, Field(description="Digest of the user code.")] = None
    teacher_digests: Annotated[
        tuple[NamedDigest, ...], Field(max_length=8, description="Digests of the teachers."), map_list("name")
    ] = ()
    input_shape: Annotated[
        tuple[Annotated[int, Field(ge=1, le=8192)], ...] | None,
        Field(max_length=5, description="Shape of one sample."),
    ] = None
    num_classes: Annotated[int | None, Field(ge=1, le=1_000_000, description="Number of classes.")] = None
    reader: Annotated[Text63 | None, Field(description="How the dataset is read.")] = None
    samples: Annotated[
        dict[str, Count], Field(max_length=16, description="Samples of the dataset by split.")
    ] = {}


class Selected(ApiModel):
    """The candidate that is shipped."""

    step: Annotated[Text16, Field(description="The step that made it.")]
    target: Annotated[Text32, Field(description="The configuration it is shipped for.")]
    manifest_digest: Annotated[Text71, Field(description="Digest of its artifact.")]
    reason: Annotated[Text512 | None, Field(description="Why it was this one, in a sentence.")] = None


class Hold(ApiModel):
    """A wait for a person, asked for by onInconclusive: Hold."""

    since: Annotated[Time, Field(description="Since when.")]
    gates: Annotated[
        tuple[Text40, ...], Field(max_length=16, description="The gates that could not be decided.")
    ] = ()


class TeacherStatus(ApiModel):
    """A teacher's quality, measured before any training."""

    name: Annotated[Text32, Field(description="Name of the teacher.")]
    value: Annotated[Number, Field(description="Its value of the first metric, as text.")]
    samples: Annotated[Count | None, Field(description="Samples it was computed from.")] = None


class Summary(ApiModel):
    """One line for people, as shown by `kubectl get`."""

    metric: Annotated[Text64 | None, Field(description="The main metric, such as top1 0.8625.")] = None
    size: Annotated[Text64 | None, Field(description="Size and ratio, such as 1.1 MB (3.6x).")] = None


class CompressionJobStatus(ApiModel):
    """What the operator has observed and done; nobody else writes it."""

    observed_generation: Annotated[Count | None, Field(description="metadata.generation this speaks of.")] = (
        None
    )
    spec_hash: Annotated[
        Text71 | None, Field(description="sha256 of the spec without suspend, cancel and ttl.")
    ] = None
    runtime_snapshot: Annotated[
        RuntimeSnapshot | None, Field(description="The CompressionRuntime as it was at the start.")
    ] = None
    resolved: Annotated[Resolved | None, Field(description="What the author left open.")] = None
    start_time: Annotated[Time | None, Field(description="When the job was accepted.")] = None
    completion_time: Annotated[Time | None, Field(description="When it ended.")] = None
    active_seconds: Annotated[Count | None, Field(description="Running time; pauses do not count.")] = None
    active_since: Annotated[
        Time | None, Field(description="Start of the running stretch that is going on.")
    ] = None
    incarnation: Annotated[int | None, Field(ge=0, le=2**31 - 1, description="Rises with each resume.")] = (
        None
    )
    hold: Annotated[Hold | None, Field(description="The wait for a person, where there is one.")] = None
    teachers: Annotated[
        tuple[TeacherStatus, ...], Field(max_length=8, description="The teachers' quality."), map_list("name")
    ] = ()
    stage: Annotated[Text40 | None, Field(description="What is going on, for people.")] = None
    progress_percent: Annotated[
        int | None, Field(ge=0, le=100, description="Share that is done, for people.")
    ] = None
    summary: Annotated[Summary | None, Field(description="One line for people.")] = None
    steps: Annotated[tuple[Work, ...], Field(max_length=12, description="The plan."), map_list("name")] = ()
    stages: Annotated[
        tuple[Work, ...],
        Field(
            max_length=128,
            description="The work beside the steps: resolve, preflight, evaluate.<step>.<target>, "
            "package, scan, report.",
        ),
        map_list("name"),
    ] = ()
    candidates: Annotated[
        tuple[CandidateStatus, ...], Field(max_length=12, description="Measured models."), map_list("step")
    ] = ()
    baseline: Annotated[BaselineStatus | None, Field(description="What they are compared with.")] = None
    gates: Annotated[
        tuple[GateStatus, ...],
        Field(max_length=16, description="Verdicts on the candidate judged last."),
        map_list("name"),
    ] = ()
    selected: Annotated[Selected | None, Field(description="The candidate that is shipped.")] = None
    image: Annotated[ImageStatus | None, Field(description="The serving image.")] = None
    scan: Annotated[ScanStatus | None, Field(description="What the scanner found.")] = None
    signature: Annotated[SignatureStatus | None, Field(description="The signature of the image.")] = None
    model_version_ref: Annotated[ObjectRef | None, Field(description="The released ModelVersion.")] = None
    promotions: Annotated[
        tuple[PromotionRecord, ...],
        Field(max_length=8, description="Promotions this job asked for."),
        map_list("target"),
    ] = ()
    report: Annotated[
        Report | None, Field(description="The page about the run, drawn once it has ended.")
    ] = None
    conditions: Annotated[
        Conditions,
        Field(
            description="Accepted, Suspended, Reconciling, Stalled, Evaluated, GatesPassed, Packaged, "
            "Scanned, "
            "Published, Promoted, and in the end exactly one of Complete and Failed."
        ),
    ] = ()
