"""What jobs get from a CompressionRuntime where they say nothing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, map_list
from compression_operator.api.compressionjob.evaluation import Metric, Target
from compression_operator.api.compressionjob.inputs import StorageSecretRef, Task
from compression_operator.api.compressionjob.pipeline import ExportFormat
from compression_operator.api.compressionjob.release import RegistrySecretRef
from compression_operator.api.compressionruntime.limits import NAMESPACE
from compression_operator.api.meta import Resources
from compression_operator.api.scalars import Label40


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
    ] = (Metric(name="CER"),)
    text_classification: Annotated[
        TaskMetrics, Field(alias="TextClassification", description="Metrics of text classification.")
    ] = (Metric(name="top1"),)
    speech_recognition: Annotated[
        TaskMetrics, Field(alias="SpeechRecognition", description="Metrics of speech recognition.")
    ] = (Metric(name="CER"),)

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
