"""What goes into a CompressionJob: the model's name, storage, user code, teachers, student and dataset."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import ApiModel, Rule
from compression_operator.api.scalars import S3URI, Digest, Label20, Label40, Label63, PartName, SemVer

Task = Literal[
    "ImageClassification", "ObjectDetection", "OCRRecognition", "TextClassification", "SpeechRecognition"
]
ModelFormat = Literal["PaddleInference", "PaddleParams"]
SplitName = Annotated[str, Field(min_length=1, max_length=64)]

FROM_CODE = "code"
"""As student.arch or dataset.reader: the one that spec.code brings."""

DEFAULT_ORIGINAL_EPOCHS = 10
"""Length of a training schedule when neither the step nor the student says one."""


class Model(ApiModel):
    """Under which name and version the result is released."""

    name: Annotated[Label40, Field(description="Name of the model; ServingTargets accept a model by it.")]
    version: Annotated[
        SemVer | None,
        Field(
            description="Semantic version of the release, such as 1.4.0; optional, shown and never guessed."
        ),
    ] = None


class StorageSecretRef(ApiModel):
    """The Secret with the credentials of the object store."""

    name: Annotated[
        Label63,
        Rule(
            "self.startsWith('compression-s3-')",
            "a Secret is usable only if its owner named it compression-s3-*",
        ),
        Field(
            description="Secret in this namespace with the keys accessKeyId and secretAccessKey; its "
            "name must "
            "start with compression-s3-, which is how its owner agrees to this use."
        ),
    ]


class Storage(ApiModel):
    """Where results are kept; what is left out comes from the CompressionRuntime."""

    prefix: Annotated[
        S3URI | None,
        Field(
            description="Where this job writes, such as s3://team-a/compression; must lie under a "
            "prefix that the "
            "CompressionRuntime allows this namespace. Default: spec.defaults.storagePrefix of the runtime."
        ),
    ] = None
    endpoint_name: Annotated[
        Label40 | None,
        Field(
            description="Which storage endpoint of the CompressionRuntime to use, by name, never by URL. "
            "Default: the runtime's first."
        ),
    ] = None
    secret_ref: Annotated[
        StorageSecretRef | None,
        Field(description="Credentials of the object store. Default: spec.defaults.secrets of the runtime."),
    ] = None


class Code(ApiModel):
    """User code with the network, the reader or both; it runs in training pods only, without credentials."""

    uri: Annotated[
        S3URI,
        Field(description="Folder of the stored code: code.tar.gz, with manifest.json and _SUCCESS."),
    ]
    digest: Annotated[Digest, Field(description="sha256 of its manifest.json; code is never run unpinned.")]


class Teacher(ApiModel):
    """One stored model whose knowledge is distilled."""

    name: Annotated[Label20, Field(description="Name of the teacher within this job.")]
    uri: Annotated[S3URI, Field(description="Folder of the stored model, with manifest.json and _SUCCESS.")]
    digest: Annotated[
        Digest | None,
        Field(
            description="sha256 of the teacher's manifest.json. Absent: resolved once at the start, "
            "recorded in "
            "status.resolved and enforced from then on."
        ),
    ] = None
    format: Annotated[
        ModelFormat,
        Field(
            description="PaddleInference (program and weights) or PaddleParams (pickled parameters; "
            "opened in "
            "training pods only)."
        ),
    ] = "PaddleInference"
    weight: Annotated[
        float, Field(gt=0, le=100, description="Share of this teacher when several are combined.")
    ] = 1.0
    min_metric: Annotated[
        float | None,
        Field(
            ge=-1e9,
            le=1e9,
            description="Least value of the first metric that the teacher must reach before any "
            "training starts; "
            "below it the job fails with TeacherTooWeak.",
        ),
    ] = None


class Student(ApiModel):
    """The network to be compressed: a named architecture to train, or a stored float model."""

    rules = (
        Rule(
            "has(self.arch) != has(self.uri)",
            "give exactly one of arch (a named architecture) and uri (a stored model)",
        ),
        Rule(
            "has(self.uri) == has(self.digest) && has(self.uri) == has(self.format)",
            "uri needs digest and format; arch takes neither",
        ),
    )

    arch: Annotated[
        PartName | None,
        Field(description="Name of an architecture known to the runner image; code: that of spec.code."),
    ] = None
    uri: Annotated[S3URI | None, Field(description="Folder of a stored float model, instead of arch.")] = None
    digest: Annotated[
        Digest | None, Field(description="sha256 of the stored model's manifest.json; required with uri.")
    ] = None
    format: Annotated[
        ModelFormat | None, Field(description="Format of the stored model; required with uri.")
    ] = None
    num_classes: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, description="Number of classes. Default: from the dataset's manifest."),
    ] = None
    input_shape: Annotated[
        tuple[Annotated[int, Field(ge=1, le=8192)], ...] | None,
        Field(
            min_length=1,
            max_length=5,
            description="Shape of one sample without the batch axis, such as [1, 28, 28]. Default: "
            "from the "
            "dataset's manifest.",
        ),
    ] = None
    original_epochs: Annotated[
        int | None,
        Field(
            ge=1,
            le=10_000,
            description="Length of the full training schedule; distill.epochs defaults to it and "
            f"qat.epochsFraction is a fraction of it. Default: {DEFAULT_ORIGINAL_EPOCHS}.",
        ),
    ] = None

    @property
    def schedule_epochs(self) -> int:
        """Epochs of the full schedule: what the author wrote, or the default."""
        return self.original_epochs or DEFAULT_ORIGINAL_EPOCHS


class Splits(ApiModel):
    """Which part of the dataset serves which purpose."""

    rules = (
        Rule(
            "self.test != self.train && self.calibration != self.train && self.test != self.calibration",
            "train, calibration and test must be three different splits (no leak): name another part "
            "of the "
            "dataset",
        ),
    )

    train: Annotated[SplitName, Field(description="Part used for training.")] = "train"
    calibration: Annotated[
        SplitName,
        Field(
            description="Part used to choose activation ranges. A dataset without it: a seeded share "
            "of train that "
            "training then leaves out."
        ),
    ] = "calib"
    test: Annotated[SplitName, Field(description="Part that only the evaluator reads.")] = "test"


class Dataset(ApiModel):
    """The data to train, calibrate and measure with."""

    uri: Annotated[S3URI, Field(description="Folder of the dataset, with manifest.json and _SUCCESS.")]
    digest: Annotated[
        Digest | None,
        Field(
            description="sha256 of the dataset's manifest.json. Absent: resolved once at the start, "
            "recorded in "
            "status.resolved and enforced from then on."
        ),
    ] = None
    reader: Annotated[
        PartName | None,
        Field(
            description="How the files are read, such as npz; code: by spec.code, for training only. "
            "Default: what the dataset's manifest says."
        ),
    ] = None
    max_bad_records: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Largest share of records that may be unreadable; they are left out and counted, and "
            "beyond it the job fails.",
        ),
    ] = 0.01
    seed: Annotated[
        int, Field(ge=0, le=2**53 - 1, description="Seed of every shuffle and split of this job.")
    ] = 0
    splits: Annotated[Splits, Field(description="Which part serves which purpose.")] = Splits()
