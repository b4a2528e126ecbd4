"""What the operator tells a pod to do: one frozen document per stage, in an annotation of its Job.

Owns the inputs of all stages. Must not hold a credential: those are mounted from the tenant's Secrets.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from compression_contract.artifacts import ArtifactRef
from compression_contract.base import S3URI, Digest, Frozen, ImageReference
from compression_contract.methods import (
    Calibration,
    Count,
    DatasetInput,
    Distillation,
    EvaluationTarget,
    LatencyPlan,
    Metric,
    Optimizer,
    Positive,
    Pruning,
    Quanters,
    Splits,
    StudentInput,
    TaskName,
    TeacherInput,
)
from compression_contract.report import RunSummary
from compression_contract.served_model import Tolerance

Formats = Annotated[tuple[str, ...], Field(min_length=1, max_length=4)]
"""The files to make, by name (`formats`); a stage that cannot make one refuses before any work."""


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


class PreflightInput(Frozen):
    """Measure every teacher on the test split before any training."""

    stage: Literal["preflight"] = "preflight"
    task: TaskName = "ImageClassification"
    dataset: DatasetInput
    teachers: tuple[TeacherInput, ...]
    num_classes: Count
    input_shape: tuple[Count, ...]
    metric: Metric
    max_samples: Annotated[int, Field(ge=0)] = 2000


class DistillInput(Frozen):
    """Train a float student under its teachers."""

    stage: Literal["distill"] = "distill"
    task: TaskName = "ImageClassification"
    dataset: DatasetInput
    student: StudentInput
    distillation: Distillation
    epochs: Count
    optimizer: Optimizer = Optimizer()
    cache_teacher_outputs: bool = True
    code: ArtifactRef | None = None
    """The author's own network and reader."""
    replicas: Count = 1
    """Pods that train together, each on its share of every batch."""
    formats: Formats = ("ONNXQDQ",)
    onnx_opset: int = 13


class PruneInput(Frozen):
    """Cut filters of a float student, and train what is left."""

    stage: Literal["prune"] = "prune"
    task: TaskName = "ImageClassification"
    dataset: DatasetInput
    source: ArtifactRef
    pruning: Pruning
    finetune_epochs: Annotated[float, Field(ge=0)] = 5
    optimizer: Optimizer = Optimizer(learning_rate=0.0005)
    distillation: Distillation | None = None
    """Kept on while the network recovers, where the plan has one."""
    code: ArtifactRef | None = None
    replicas: Count = 1
    formats: Formats = ("ONNXQDQ",)
    onnx_opset: int = 13


class PTQInput(Frozen):
    """Quantise a float student after training."""

    stage: Literal["ptq"] = "ptq"
    task: TaskName = "ImageClassification"
    dataset: DatasetInput
    source: ArtifactRef
    engine: Literal["PaddleSlim", "OnnxRuntime"] = "PaddleSlim"
    calibration: Calibration = Calibration()
    activation_observer: Literal["AVG", "AbsMax", "EMD", "Hist", "KL", "MSE"] = "Hist"
    weight_observer: Literal["AbsMaxChannelWise", "AbsMax"] = "AbsMaxChannelWise"
    per_channel: bool = True
    outlier: Literal["None", "Shift", "Smooth", "ShiftSmooth"] = "None"
    smooth_alpha: float | None = None
    skip_layers: tuple[str, ...] = ()
    weight_bits: int = 8
    sensitivity: bool = False
    """Also measure what each layer's quantisation alone costs."""
    code: ArtifactRef | None = None
    formats: Formats = ("ONNXQDQ",)
    onnx_opset: int = 13


class QATInput(Frozen):
    """Fine-tune a float student under fake quantisation."""

    stage: Literal["qat"] = "qat"
    task: TaskName = "ImageClassification"
    dataset: DatasetInput
    source: ArtifactRef
    epochs: Positive
    """May be a fraction: 0.15 of ten original epochs are 1.5 passes over the data."""
    learning_rate: Positive = 0.0001
    batch_size: Count = 32
    quanters: Quanters = Quanters()
    freeze_batch_norm_after: Annotated[float, Field(ge=0, le=1)] = 0.75
    distillation: Distillation | None = None
    """Kept on during fine-tuning where the plan asks for it."""
    code: ArtifactRef | None = None
    replicas: Count = 1
    formats: Formats = ("ONNXQDQ",)
    onnx_opset: int = 13


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


class PackageInput(Frozen):
    """Append the model to the serving base and push it."""

    stage: Literal["package"] = "package"
    model: str
    version: str = ""
    candidate: ArtifactRef
    evaluation: ArtifactRef
    serving_base: ImageReference
    repository: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$")]
    tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    labels: dict[str, str] = {}
    format: str = "ONNXQDQ"
    threads: Count = 1
    tolerance: Tolerance = Tolerance()


class ScanException(Frozen):
    """A finding that somebody accepted, until a day."""

    id: str
    purl: str = ""
    reason: str
    expires: str


class ScanInput(Frozen):
    """Scan an image by digest and attach its bill of materials."""

    stage: Literal["scan"] = "scan"
    image: ImageReference
    server: str
    """The scanner's address, from the CompressionRuntime."""
    exceptions: tuple[ScanException, ...] = ()
    ignore_unfixed: bool = False
    sbom_format: Literal["CycloneDX", "SPDX"] = "CycloneDX"
    attach_sbom: bool = True


class ProbeSubject(Frozen):
    """A pod to question."""

    name: Annotated[str, StringConstraints(max_length=63)]
    address: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]{3,45}$")]
    """An IP address of a pod, never a name or a URL."""


class ProbePaths(Frozen):
    """Where the server answers, on the pod's own port."""

    ready: str = "/v2/health/ready"
    metadata: str = ""
    """Empty is ``/v2/models/<model>``."""
    golden: str = "/golden"
    predict: str = ""
    """Empty is ``/v2/models/<model>/infer``."""


class ProbeInput(Frozen):
    """Ask pods for the golden predictions, once or again and again for a while."""

    stage: Literal["probe"] = "probe"
    model: str
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    paths: ProbePaths = ProbePaths()
    subjects: Annotated[tuple[ProbeSubject, ...], Field(min_length=1, max_length=16)]
    """Pods that must answer as expected."""
    live: Annotated[tuple[ProbeSubject, ...], Field(max_length=4)] = ()
    """Pods of the present release: their answers are compared and reported, not judged."""
    artifact_digest: Digest
    golden_digest: Digest
    tolerance: Tolerance = Tolerance()
    max_latency_p95_ms: Positive | None = None
    duration_seconds: Annotated[int, Field(ge=0, le=86400)] = 0
    """0 is one pass; otherwise passes go on, every `interval_seconds`, until a failure or the end."""
    interval_seconds: Positive = 5.0
    failure_limit: Annotated[int, Field(ge=0)] = 0
    error_limit: Annotated[int, Field(ge=0)] = 3
    """Passes in which a pod may be out of reach: no answer is no wrong answer, a network has hiccups."""


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


class PrepareDataInput(Frozen):
    """Make a dataset of what came with the image; asked for by a tenant's Job, not by the operator."""

    stage: Literal["prepare-data"] = "prepare-data"
    kind: Literal["idx", "boards", "ocr", "keywords"] = "idx"
    """Images in the IDX format; drawn circuit boards; rendered lines of characters; spoken digits."""
    source: str = "/usr/share/datasets/fashion-mnist"
    """A folder of the image: IDX files, fonts, or words as WAV files; drawn boards need none."""
    title: str = ""
    classes: tuple[str, ...] = ()
    """Names of the classes of IDX files."""
    padding: Annotated[int, Field(ge=0, le=64)] = 2
    """Empty pixels on each side of images in the IDX format: 28x28 becomes 32x32."""
    train_samples: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """The first so many of the training split, or as many as are made; 0 leaves it to the kind."""
    test_samples: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0
    """Of what is drawn, rendered or mixed."""


class TrainTeacherInput(Frozen):
    """Train a teacher; asked for by a Job of the tenant, not by the operator."""

    stage: Literal["train-teacher"] = "train-teacher"
    task: TaskName = "ImageClassification"
    dataset: DatasetInput
    arch: str
    epochs: Positive
    optimizer: Optimizer = Optimizer()


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
