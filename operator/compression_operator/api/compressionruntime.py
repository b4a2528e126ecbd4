"""CompressionRuntime: the administrator's side of a CompressionJob: images, allowlists and defaults.

Authors choose a runtime by name and never give an image, an address or a service account of their own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, Column, KindInfo, Resource, Rule, map_list
from compression_operator.api.compressionjob.evaluation import Metric, Target
from compression_operator.api.compressionjob.inputs import StorageSecretRef, Task
from compression_operator.api.compressionjob.pipeline import ExportFormat, StepType
from compression_operator.api.compressionjob.release import NO_LIMIT, RegistrySecretRef
from compression_operator.api.meta import Conditions, ObjectMeta, QuantityMap, Resources
from compression_operator.api.scalars import Count, ImageRef, Label40, Label63, MetricName

NAMESPACE = "{namespace}"
"""Stands for the job's namespace in prefixes."""
ANY_NAMESPACE = "*"
"""Key of an allowlist's entry that holds for every namespace."""

Prefixes = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=512)], ...], Field(max_length=16)]
PrefixesByNamespace = Annotated[dict[str, Prefixes], Field(max_length=256)]
HostPort = Annotated[
    str,
    Field(min_length=1, max_length=260, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$"),
]


def allowed_prefixes(allowlist: dict[str, Prefixes], namespace: str) -> tuple[str, ...]:
    """The prefixes that hold for a namespace: its own entry and that of `*`, with `{namespace}` filled in.

    Each ends in a slash, so that team-a never reaches into team-a-secret.
    """
    found = (*allowlist.get(namespace, ()), *allowlist.get(ANY_NAMESPACE, ()))
    return tuple(prefix.replace(NAMESPACE, namespace).rstrip("/") + "/" for prefix in found)


class LabelSelector(ApiModel):
    """A selector by labels."""

    match_labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(min_length=1, max_length=16, description="Labels that must all be there."),
    ]


class Runner(ApiModel):
    """The image that trains and quantises."""

    image: Annotated[ImageRef, Field(description="Image by digest.")]
    framework: Annotated[str, Field(max_length=63, description="For people, such as paddle 2.6.2.")] = ""
    toolkit: Annotated[str, Field(max_length=63, description="For people, such as paddleslim 2.6.0.")] = ""


class Evaluator(ApiModel):
    """An image that measures; it never runs user code."""

    name: Annotated[Label40, Field(description="Name that evaluation.targets[].runtime gives.")]
    image: Annotated[ImageRef, Field(description="Image by digest.")]
    formats: Annotated[
        tuple[ExportFormat, ...], Field(min_length=1, max_length=4, description="Files it can run."), SET_LIST
    ]
    metrics: Annotated[
        tuple[MetricName, ...],
        Field(min_length=1, max_length=16, description="Metrics it computes."),
        SET_LIST,
    ]


class ServingBase(ApiModel):
    """An image that serves; a model layer is put on top."""

    name: Annotated[Label40, Field(description="Name that packaging.servingBase gives.")]
    image: Annotated[ImageRef, Field(description="Image by digest.")]
    model_dir: Annotated[
        str,
        Field(max_length=128, pattern=r"^/[A-Za-z0-9/._-]*$", description="Where it looks for the model."),
    ] = "/models"
    run_as_user: Annotated[int, Field(ge=1, le=2**31 - 1, description="User it runs as; never root.")] = 65532


class Hook(ApiModel):
    """A signing hook; it runs in its own namespace with its own credentials."""

    name: Annotated[Label40, Field(description="Name that signing.hook gives.")]
    image: Annotated[ImageRef, Field(description="Image by digest.")]
    service_account_name: Annotated[Label63, Field(description="Its service account.")]
    namespace: Annotated[Label63, Field(description="Where it runs.")]


class Tools(ApiModel):
    """The image that resolves, packages and scans, and the scanner it asks."""

    image: Annotated[ImageRef, Field(description="Image by digest.")]
    scanner_service: Annotated[
        HostPort,
        Field(
            description="Host and port of the Trivy server, such as trivy.modelops-system:4954; no scheme."
        ),
    ]
    scanner_tls: Annotated[
        bool, Field(alias="scannerTLS", description="Whether that server speaks TLS; see trust.caBundle.")
    ] = False
    hooks: Annotated[
        tuple[Hook, ...], Field(max_length=8, description="Signing hooks."), map_list("name")
    ] = ()


class StorageEndpoint(ApiModel):
    """One S3 service, and who may write where in it."""

    name: Annotated[Label40, Field(description="Name that storage.endpointName gives.")]
    url: Annotated[
        str,
        Field(
            max_length=260,
            pattern=r"^https?://[^\s/?#@]+$",
            description="Address; scheme, host and port only.",
        ),
    ]
    region: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9-]*$", description="Region.")] = "us-east-1"
    prefixes: Annotated[
        PrefixesByNamespace,
        Field(
            description="By namespace, or * for every one: prefixes such as s3://{namespace}/ under "
            "which its jobs "
            "may write; {namespace} stands for the job's own."
        ),
    ]

    def allows(self, namespace: str, uri: str) -> bool:
        """Whether a job of this namespace may write to `uri`."""
        return f"{uri}/".startswith(allowed_prefixes(self.prefixes, namespace))


class Allow(ApiModel):
    """What jobs may use."""

    storage_endpoints: Annotated[
        tuple[StorageEndpoint, ...],
        Field(min_length=1, max_length=16, description="S3 services; the first is the default."),
        map_list("name"),
    ]
    repositories: Annotated[
        PrefixesByNamespace,
        Field(
            description="By namespace, or * for every one: prefixes such as "
            "registry.example.com/{namespace}/ "
            "under which its jobs may push."
        ),
    ]
    priority_classes: Annotated[
        tuple[Label63, ...], Field(max_length=16, description="Priority classes jobs may name."), SET_LIST
    ] = ()
    max_resources: Annotated[
        QuantityMap | None, Field(description="Largest limits a pod template may ask for.")
    ] = None

    def allows_repository(self, namespace: str, repository: str) -> bool:
        """Whether a job of this namespace may push to `repository`."""
        return f"{repository}/".startswith(allowed_prefixes(self.repositories, namespace))

    def endpoint(self, name: str | None) -> StorageEndpoint | None:
        """The endpoint of that name, the first one for None, or None where there is none."""
        wanted = name or self.storage_endpoints[0].name
        return next((entry for entry in self.storage_endpoints if entry.name == wanted), None)


class DefaultSecrets(ApiModel):
    """Names of the Secrets used where a job names none; they lie in the job's namespace."""

    storage: Annotated[StorageSecretRef, Field(description="Credentials of the object store.")] = (
        StorageSecretRef(name="compression-s3-default")
    )
    registry: Annotated[RegistrySecretRef, Field(description="Credentials of the registry.")] = (
        RegistrySecretRef(name="compression-registry-default")
    )


TaskMetrics = Annotated[tuple[Metric, ...], Field(min_length=1, max_length=8), map_list("name")]


class DefaultMetrics(ApiModel):
    """What is measured for each task; the first metric is the main one."""

    image_classification: Annotated[
        TaskMetrics, Field(alias="ImageClassification", description="Metrics of image classification.")
    ] = (Metric(name="top1"),)
    object_detection: Annotated[
        TaskMetrics, Field(alias="ObjectDetection", description="Metrics of object detection.")
    ] = (Metric(name="mAP"),)
    ocr_recognition: Annotated[
        TaskMetrics, Field(alias="OCRRecognition", description="Metrics of text recognition.")
    ] = (Metric(name="CER", direction="LowerIsBetter"),)
    text_classification: Annotated[
        TaskMetrics, Field(alias="TextClassification", description="Metrics of text classification.")
    ] = (Metric(name="top1"),)
    speech_recognition: Annotated[
        TaskMetrics, Field(alias="SpeechRecognition", description="Metrics of speech recognition.")
    ] = (Metric(name="CER", direction="LowerIsBetter"),)

    def of(self, task: Task) -> tuple[Metric, ...]:
        """The metrics of a task."""
        by_task: dict[Task, tuple[Metric, ...]] = {
            "ImageClassification": self.image_classification,
            "ObjectDetection": self.object_detection,
            "OCRRecognition": self.ocr_recognition,
            "TextClassification": self.text_classification,
            "SpeechRecognition": self.speech_recognition,
        }
        return by_task[task]


class DefaultEvaluation(ApiModel):
    """How candidates are measured where a job does not say."""

    targets: Annotated[
        tuple[Target, ...],
        Field(min_length=1, max_length=4, description="Deployed configurations."),
        map_list("name"),
    ] = (Target(name="ort", runtime="onnxruntime", format="ONNXQDQ"),)
    metrics: Annotated[DefaultMetrics, Field(description="Metrics by task.")] = DefaultMetrics()


class DefaultExport(ApiModel):
    """Which files are made where a job does not say."""

    formats: Annotated[
        tuple[ExportFormat, ...], Field(min_length=1, max_length=4, description="File formats."), SET_LIST
    ] = ("ONNXQDQ",)


class DefaultResources(ApiModel):
    """Compute resources by role, where a job's pod templates say none; every pod gets limits."""

    default: Annotated[
        Resources, Field(description="Pods that resolve, package, scan and probe, and roles left out below.")
    ] = Resources(requests={"cpu": "100m", "memory": "256Mi"}, limits={"cpu": "1", "memory": "1Gi"})
    train: Annotated[Resources | None, Field(description="Pods that train or quantise.")] = Resources(
        requests={"cpu": "1", "memory": "2Gi"}, limits={"cpu": "2", "memory": "4Gi"}
    )
    evaluate: Annotated[Resources | None, Field(description="Pods that measure.")] = Resources(
        requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "1", "memory": "2Gi"}
    )
    package: Annotated[Resources | None, Field(description="Pods that make and push the image.")] = None
    scan: Annotated[Resources | None, Field(description="Pods that scan the image.")] = None

    def of(self, role: Literal["default", "train", "evaluate", "package", "scan"]) -> Resources:
        """The resources of a role."""
        by_role = {
            "train": self.train,
            "evaluate": self.evaluate,
            "package": self.package,
            "scan": self.scan,
        }
        return by_role.get(role) or self.default


class Defaults(ApiModel):
    """What a job leaves out."""

    storage_prefix: Annotated[
        str,
        Field(
            max_length=512,
            pattern=r"^s3://[a-z0-9.{}-]{3,75}/[A-Za-z0-9._/={}-]+$",
            description="Where jobs write; {namespace} stands for the job's own.",
        ),
    ] = f"s3://{NAMESPACE}/compression"
    repository_prefix: Annotated[
        str,
        Field(
            max_length=255,
            pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._{}-]+)*$",
            description="Where jobs push, followed by the model's name; {namespace} stands for the "
            "job's own.",
        ),
    ]
    serving_base: Annotated[
        Label40 | None, Field(description="Serving base, by name. Absent: the first.")
    ] = None
    secrets: Annotated[DefaultSecrets, Field(description="Names of the Secrets.")] = DefaultSecrets()
    evaluation: Annotated[DefaultEvaluation, Field(description="How candidates are measured.")] = (
        DefaultEvaluation()
    )
    export: Annotated[DefaultExport, Field(description="Which files are made.")] = DefaultExport()
    resources: Annotated[DefaultResources, Field(description="Compute resources by role.")] = (
        DefaultResources()
    )

    def storage_prefix_of(self, namespace: str) -> str:
        """Where jobs of this namespace write."""
        return self.storage_prefix.replace(NAMESPACE, namespace)

    def repository_of(self, namespace: str, model: str) -> str:
        """Where jobs of this namespace push the images of a model."""
        return f"{self.repository_prefix.replace(NAMESPACE, namespace)}/{model}"


Ceiling = Annotated[int, Field(ge=NO_LIMIT, le=1_000_000)]


class VulnerabilityFloor(ApiModel):
    """Largest accepted numbers whatever a job says; -1: no limit."""

    critical: Annotated[Ceiling, Field(description="Findings of severity CRITICAL.")] = NO_LIMIT
    high: Annotated[Ceiling, Field(description="Findings of severity HIGH.")] = NO_LIMIT
    medium: Annotated[Ceiling, Field(description="Findings of severity MEDIUM.")] = NO_LIMIT
    low: Annotated[Ceiling, Field(description="Findings of severity LOW.")] = NO_LIMIT
    unknown: Annotated[Ceiling, Field(description="Findings without a severity.")] = NO_LIMIT


class Floor(ApiModel):
    """Rules that no job can loosen."""

    vulnerabilities: Annotated[
        VulnerabilityFloor, Field(description="Largest accepted numbers of findings.")
    ] = VulnerabilityFloor()
    require_signature: Annotated[bool, Field(description="Release only what a hook has signed.")] = False
    max_exception_days: Annotated[
        int, Field(ge=0, le=3650, description="How far in the future an exception may expire.")
    ] = 90


class Trust(ApiModel):
    """Which certificates the pods believe."""

    ca_bundle: Annotated[
        str,
        Field(
            max_length=65_536,
            description="Certificates in PEM, for the object store, the registry and the scanner, "
            "added to the "
            "image's own.",
        ),
        Rule(
            "self == '' || self.contains('-----BEGIN CERTIFICATE-----')",
            "caBundle holds certificates in PEM, starting with -----BEGIN CERTIFICATE-----",
        ),
    ] = ""


class CompressionRuntimeSpec(ApiModel):
    """Images, allowlists and defaults."""

    rules = (
        Rule(
            "!has(self.defaults.servingBase) || self.servingBases.exists(b, b.name == "
            "self.defaults.servingBase)",
            "defaults.servingBase is not in spec.servingBases: name one of them",
            field_path=".defaults.servingBase",
        ),
        Rule(
            "self.defaults.evaluation.targets.all(t, self.evaluators.exists(e, e.name == t.runtime))",
            "defaults.evaluation.targets[].runtime must name an entry of spec.evaluators",
            field_path=".defaults.evaluation",
        ),
        Rule(
            "self.defaults.evaluation.targets.all(t, t.format in self.defaults.export.formats)",
            "the format of every default evaluation target must be in defaults.export.formats",
            field_path=".defaults.export",
        ),
    )

    allowed_namespaces: Annotated[
        LabelSelector | None,
        Field(description="Namespaces whose jobs may use this runtime, by label. Absent: every one."),
    ] = None
    runner: Annotated[Runner, Field(description="The image that trains and quantises.")]
    methods: Annotated[
        tuple[StepType, ...],
        Field(min_length=1, max_length=5, description="Types of steps the runner offers."),
        SET_LIST,
    ] = ("Distill", "PTQ", "QAT", "Export")
    observers: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=40)], ...],
        Field(max_length=32, description="Observers and fake quantisers the runner offers."),
        SET_LIST,
    ] = (
        "AVG",
        "AbsMax",
        "EMD",
        "Hist",
        "KL",
        "MSE",
        "AbsMaxChannelWise",
        "ChannelWiseAbsMax",
        "MovingAvgAbsMax",
    )
    evaluators: Annotated[
        tuple[Evaluator, ...],
        Field(min_length=1, max_length=8, description="Images that measure."),
        map_list("name"),
    ]
    serving_bases: Annotated[
        tuple[ServingBase, ...],
        Field(min_length=1, max_length=8, description="Images that serve; the first is the default."),
        map_list("name"),
    ]
    tools: Annotated[Tools, Field(description="The image that resolves, packages and scans.")]
    allow: Annotated[Allow, Field(description="What jobs may use.")]
    defaults: Annotated[Defaults, Field(description="What a job leaves out.")]
    floor: Annotated[Floor, Field(description="Rules that no job can loosen.")] = Floor()
    trust: Annotated[Trust, Field(description="Which certificates the pods believe.")] = Trust()

    def evaluator(self, name: str) -> Evaluator | None:
        """The evaluator of that name."""
        return next((entry for entry in self.evaluators if entry.name == name), None)

    def serving_base(self, name: str | None) -> ServingBase | None:
        """The serving base of that name; for None the default, which is the first where none is set."""
        wanted = name or self.defaults.serving_base or self.serving_bases[0].name
        return next((entry for entry in self.serving_bases if entry.name == wanted), None)


class CompressionRuntimeStatus(ApiModel):
    """What the operator says of the runtime."""

    observed_generation: Annotated[Count | None, Field(description="metadata.generation this speaks of.")] = (
        None
    )
    conditions: Annotated[Conditions, Field(description="Valid.")] = ()


class CompressionRuntime(Resource):
    """Images by digest, allowlists and defaults for CompressionJobs."""

    info = KindInfo(
        kind="CompressionRuntime",
        plural="compressionruntimes",
        short_name="crt",
        scope="Cluster",
        categories=("modelops",),
        columns=(
            Column("Runner", ".spec.runner.framework"),
            Column("Valid", '.status.conditions[?(@.type=="Valid")].status'),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Image", ".spec.runner.image", priority=1),
        ),
        description=(
            "CompressionRuntime is the administrator's side of a CompressionJob: images by digest, "
            "what jobs may "
            "use, and what they get where they say nothing."
        ),
    )

    metadata: ObjectMeta
    spec: Annotated[CompressionRuntimeSpec, Field(description="Images, allowlists and defaults.")]
    status: Annotated[CompressionRuntimeStatus, Field(description="What the operator says of it.")] = (
        CompressionRuntimeStatus()
    )
