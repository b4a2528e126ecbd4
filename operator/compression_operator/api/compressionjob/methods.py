"""The compression methods of a step: distillation, pruning, post-training quantisation, QAT."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, Rule
from compression_operator.api.scalars import Label20, LayerName

DEFAULT_EPOCHS_FRACTION = 0.15
"""Length of quantisation-aware training as a share of the full schedule."""

LearningRate = Annotated[float, Field(gt=0, le=10)]
Batch = Annotated[int, Field(ge=1, le=65_536)]
Replicas = Annotated[
    int,
    Field(
        ge=1,
        le=8,
        description="Pods that train together, each on its share of every batch; one that is lost "
        "starts all of them again from the last checkpoint.",
    ),
]
Layers = Annotated[tuple[LayerName, ...], Field(max_length=64), SET_LIST]


class Optimizer(ApiModel):
    """How the weights are updated."""

    name: Annotated[
        Literal["Adam", "SGD", "AdamW"], Field(description="Adam, SGD (momentum 0.9) or AdamW.")
    ] = "Adam"
    learning_rate: Annotated[LearningRate, Field(description="Peak learning rate.")] = 0.001
    weight_decay: Annotated[float, Field(ge=0, le=10, description="Weight decay.")] = 0.0
    batch_size: Annotated[Batch, Field(description="Samples in one step.")] = 32


class AlphaPoint(ApiModel):
    """One point of the alpha schedule."""

    at: Annotated[float, Field(ge=0, le=1, description="Place in the training, 0 the start and 1 the end.")]
    value: Annotated[
        float,
        Field(ge=0, le=1, description="Weight of the distillation loss there; 1 - value goes to the labels."),
    ]


class FeatureLoss(ApiModel):
    """One loss between an inner layer of the student and one of a teacher."""

    student: Annotated[LayerName, Field(description="Layer of the student.")]
    teacher: Annotated[
        str,
        Field(min_length=1, max_length=149, description="Layer of a teacher, written as teacher/layer."),
    ]
    loss: Annotated[
        Literal["L2", "L1", "Cosine", "Attention"], Field(description="Distance between the two.")
    ] = "L2"
    weight: Annotated[float, Field(gt=0, le=100, description="Weight of this loss in the sum.")] = 1.0
    adapter: Annotated[
        Literal["None", "Conv1x1", "Linear"],
        Field(description="Trainable map for layers of different width; never exported."),
    ] = "None"


class Distill(ApiModel):
    """Knowledge distillation (Hinton, Vinyals, Dean 2015)."""

    teachers: Annotated[
        tuple[Label20, ...] | None,
        Field(max_length=8, description="Which of spec.teachers to use. Default: all of them."),
        SET_LIST,
    ] = None
    combine: Annotated[
        Literal["WeightedMean", "ConfidenceWeighted"],
        Field(description="How several teachers' outputs become one target."),
    ] = "WeightedMean"
    temperature: Annotated[
        float,
        Field(ge=1, le=20, description="Softens teacher and student outputs before they are compared."),
    ] = 4.0
    scale_by_temperature_squared: Annotated[
        bool,
        Field(description="Multiply the soft loss by T², which keeps its gradients' size when T changes."),
    ] = True
    alpha: Annotated[
        tuple[AlphaPoint, ...],
        Field(
            min_length=1,
            max_length=16,
            description="Weight of the distillation loss over the training, piecewise linear between points.",
        ),
        Rule(
            "self.map(p, p.at).isSorted() && self.all(p, self.exists_one(q, q.at == p.at))",
            "alpha[].at must rise strictly from point to point",
        ),
    ] = (AlphaPoint(at=0.0, value=0.9),)
    features: Annotated[
        tuple[FeatureLoss, ...], Field(max_length=16, description="Losses between inner layers, added up.")
    ] = ()
    epochs: Annotated[
        int | None,
        Field(ge=1, le=10_000, description="Length of the training. Default: student.originalEpochs."),
    ] = None
    optimizer: Annotated[Optimizer, Field(description="How the weights are updated.")] = Optimizer()
    cache_teacher_outputs: Annotated[
        bool,
        Field(
            description="Compute the teachers' outputs once and keep them by digest in teacher-outputs under "
            "storage.prefix, for later steps and jobs."
        ),
    ] = True
    replicas: Replicas = 1


class Prune(ApiModel):
    """Structured pruning of filters with fine-tuning (L1: Li et al. 2017; FPGM: He et al. 2019).

    The teachers of the distillation that this step starts from stay on while the network recovers.
    """

    criterion: Annotated[
        Literal["L1Norm", "FPGM"],
        Field(description="Which filters go: smallest L1 norm, or nearest the median."),
    ] = "L1Norm"
    ratio: Annotated[float, Field(ge=0, le=0.95, description="Share of the filters to remove.")]
    exclude: Annotated[Layers | None, Field(description="Layers that are left whole.")] = None
    finetune_epochs: Annotated[
        int, Field(ge=0, le=10_000, description="Epochs of training after the cut.")
    ] = 5
    learning_rate: Annotated[LearningRate, Field(description="Peak learning rate of that training.")] = 0.0005
    replicas: Replicas = 1


class Calibration(ApiModel):
    """How much data chooses the activation ranges."""

    batches: Annotated[int, Field(ge=1, le=500, description="Number of batches.")] = 100
    batch_size: Annotated[Batch, Field(description="Samples in a batch.")] = 32


class Bits(ApiModel):
    """Width of the integers."""

    weight: Annotated[Literal[4, 8], Field(description="Bits of a weight.")] = 8
    activation: Annotated[Literal[8], Field(description="Bits of an activation.")] = 8


class PTQ(ApiModel):
    """Post-training quantisation: ranges from calibration data, no training."""

    rules = (
        Rule(
            "!has(self.smoothAlpha) || self.outlier in ['Smooth', 'ShiftSmooth']",
            "smoothAlpha needs outlier: Smooth or ShiftSmooth",
            field_path=".smoothAlpha",
        ),
    )

    engine: Annotated[
        Literal["PaddleSlim", "OnnxRuntime"],
        Field(description="PaddleSlim on the Paddle model, or onnxruntime on the exported FP32 ONNX file."),
    ] = "PaddleSlim"
    calibration: Annotated[Calibration, Field(description="How much data chooses the ranges.")] = (
        Calibration()
    )
    activation_observer: Annotated[
        Literal["AVG", "AbsMax", "EMD", "Hist", "KL", "MSE"],
        Field(description="How a range is chosen from what was seen; must be offered by the runtime."),
    ] = "Hist"
    weight_observer: Annotated[
        Literal["AbsMaxChannelWise", "AbsMax"],
        Field(description="One scale for each output channel, or one for the whole tensor."),
    ] = "AbsMaxChannelWise"
    per_channel: Annotated[
        bool, Field(description="Keep one weight scale for each channel in the exported file.")
    ] = True
    outlier: Annotated[
        Literal["None", "Shift", "Smooth", "ShiftSmooth"],
        Field(description="Move outliers of activations into the weights before the ranges are chosen."),
    ] = "None"
    smooth_alpha: Annotated[
        float | None, Field(ge=0, le=1, description="How much is moved; with Smooth or ShiftSmooth only.")
    ] = None
    skip_layers: Annotated[Layers | None, Field(description="Layers that stay in float.")] = None
    bits: Annotated[Bits, Field(description="Width of the integers.")] = Bits()
    sensitivity: Annotated[
        bool,
        Field(description="Also measure, layer by layer, what quantising it alone costs; for the report."),
    ] = False


class Quanters(ApiModel):
    """How ranges are learned during the training."""

    weight: Annotated[
        Literal["ChannelWiseAbsMax", "LSQplus"], Field(description="Fake quantiser of the weights.")
    ] = "ChannelWiseAbsMax"
    activation: Annotated[
        Literal["MovingAvgAbsMax", "LSQplus", "PACT"], Field(description="Fake quantiser of the activations.")
    ] = "MovingAvgAbsMax"


class QAT(ApiModel):
    """Quantisation-aware training: the network learns with its rounding errors."""

    rules = (
        Rule(
            "!(has(self.epochs) && has(self.epochsFraction))",
            f"give epochs or epochsFraction, not both (neither means epochsFraction "
            f"{DEFAULT_EPOCHS_FRACTION})",
        ),
    )

    epochs_fraction: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description="Length as a fraction of student.originalEpochs. "
            f"Default, without epochs: {DEFAULT_EPOCHS_FRACTION}.",
        ),
    ] = None
    epochs: Annotated[
        int | None, Field(ge=1, le=10_000, description="Length in epochs, instead of epochsFraction.")
    ] = None
    learning_rate: Annotated[LearningRate, Field(description="Peak learning rate.")] = 0.0001
    quanters: Annotated[Quanters, Field(description="How ranges are learned.")] = Quanters()
    freeze_batch_norm_after: Annotated[
        float,
        Field(ge=0, le=1, description="Share of the training after which BatchNorm statistics stand still."),
    ] = 0.75
    keep_distillation: Annotated[
        bool, Field(description="Keep the teacher's loss of the distillation step this one starts from.")
    ] = True
    replicas: Replicas = 1

    def length(self, schedule_epochs: int) -> float:
        """Epochs to train, possibly a fraction; `schedule_epochs` is the student's full schedule."""
        if self.epochs is not None:
            return float(self.epochs)
        return (self.epochs_fraction or DEFAULT_EPOCHS_FRACTION) * schedule_epochs
