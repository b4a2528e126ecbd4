"""What a pod of the runner's image is asked to do: prepare data, train, prune, quantise.

Owns the inputs of those stages, with every default filled in. They are part of `inputs.StageParameters`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_contract.artifacts import ArtifactRef
from compression_contract.base import Frozen
from compression_contract.methods import (
    Calibration,
    Count,
    DatasetInput,
    Distillation,
    Metric,
    Optimizer,
    Positive,
    Pruning,
    Quanters,
    StudentInput,
    TaskName,
    TeacherInput,
)

Formats = Annotated[tuple[str, ...], Field(min_length=1, max_length=4)]
"""The files to make, by name (`formats`); a stage that cannot make one refuses before any work."""


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
