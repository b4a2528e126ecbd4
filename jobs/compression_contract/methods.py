"""How a model is trained and quantised, as a stage reads it.

Owns the parameters of distillation, PTQ and QAT with every default already filled in: a pod never guesses.
Field names are those of the CompressionJob.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_contract.artifacts import ArtifactRef
from compression_contract.base import S3URI, Digest, Fraction, Frozen

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

TaskName = Literal[
    "ImageClassification", "ObjectDetection", "OCRRecognition", "TextClassification", "SpeechRecognition"
]
"""What a model is for: it decides the meaning of its one output, the loss, and the metrics."""


class Splits(Frozen):
    """Names of the dataset's parts; a calibration part that the dataset lacks is carved out of train."""

    train: str = "train"
    calibration: str = "calib"
    test: str = "test"


class DatasetInput(Frozen):
    """The data of a run, enforced by digest."""

    uri: S3URI
    digest: Digest
    reader: str = "npz"
    seed: Annotated[int, Field(ge=0)] = 0
    max_bad_records: Fraction = 0.01
    """Share of a split's records that may be left out because they cannot be decoded."""
    splits: Splits = Splits()


class StudentInput(Frozen):
    """The network to be trained: a named architecture and its shape, or a stored float model."""

    arch: str = ""
    num_classes: Count
    input_shape: tuple[Count, ...]
    """Shape of one sample, channels first, without the batch."""
    artifact: ArtifactRef | None = None


class TeacherInput(Frozen):
    """A teacher by digest."""

    name: str
    uri: S3URI
    digest: Digest
    format: Literal["PaddleInference", "PaddleParams"] = "PaddleInference"
    weight: Positive = 1.0
    min_metric: float | None = None


class AlphaPoint(Frozen):
    """Weight of the distillation loss at a moment of training; linear in between."""

    at: Fraction
    value: Fraction


class FeatureMimic(Frozen):
    """One feature-mimic loss between a student's and a teacher's layer."""

    student: str
    teacher: str
    loss: Literal["L2", "L1", "Cosine", "Attention"] = "L2"
    weight: Positive = 1.0
    adapter: Literal["None", "Conv1x1", "Linear"] = "None"


class Optimizer(Frozen):
    """How weights move."""

    name: Literal["Adam", "SGD", "AdamW"] = "Adam"
    learning_rate: Positive = 0.001
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    batch_size: Count = 32


class Distillation(Frozen):
    """Knowledge distillation after Hinton et al. 2015: softened logits, T squared, a weight over time."""

    teachers: tuple[TeacherInput, ...]
    combine: Literal["WeightedMean", "ConfidenceWeighted"] = "WeightedMean"
    temperature: Annotated[float, Field(ge=1, le=20)] = 4.0
    scale_by_temperature_squared: bool = True
    alpha: tuple[AlphaPoint, ...] = (AlphaPoint(at=0.0, value=0.9),)
    features: tuple[FeatureMimic, ...] = ()
    cache: S3URI | None = None
    """Where teachers' outputs are kept by digest, for other steps and runs; None keeps them in the pod."""


class Pruning(Frozen):
    """Which filters of a network go."""

    criterion: Literal["L1Norm", "FPGM"] = "L1Norm"
    ratio: Annotated[float, Field(ge=0, le=0.95)]
    """Share of the filters of each layer that is cut."""
    exclude: tuple[str, ...] = ()
    """Layers that are left whole."""


class Quanters(Frozen):
    """Fake quantisers of quantisation-aware training."""

    weight: Literal["ChannelWiseAbsMax", "LSQplus"] = "ChannelWiseAbsMax"
    activation: Literal["MovingAvgAbsMax", "LSQplus", "PACT"] = "MovingAvgAbsMax"


class Calibration(Frozen):
    """How much data sets the activation ranges."""

    batches: Annotated[int, Field(ge=1, le=500)] = 100
    batch_size: Count = 32


class Metric(Frozen):
    """A number that the evaluator measures."""

    name: str
    direction: Literal["HigherIsBetter", "LowerIsBetter"] = "HigherIsBetter"
    unit: Literal["Fraction", "Raw"] = "Fraction"


class LatencyPlan(Frozen):
    """How latency is measured: `repeats` rounds of `iterations` single calls after `warmup` calls."""

    warmup: Annotated[int, Field(ge=0)] = 50
    iterations: Count = 500
    repeats: Count = 3
    max_cv: Annotated[float, Field(gt=0, alias="maxCV")] = 0.25
    """Largest coefficient of variation of a percentile between rounds that still counts as a measurement."""


class EvaluationTarget(Frozen):
    """A deployed configuration: runtime, format and the processor it needs."""

    name: str
    runtime: str
    format: str
    threads: Count = 1
    batch_size: Count = 1
    cpu_features: tuple[str, ...] = ()
