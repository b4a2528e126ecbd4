"""What the manifest of a dataset says of its samples.

Owns those facts and their agreement with each other. Fields that a dataset leaves at their default are not
written, so that datasets made before a field existed keep their digest. Must not know any format of files.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from compression_contract.base import Frozen
from compression_contract.methods import Count, Positive, TaskName

SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$")]
TargetsKind = Literal["Labels", "Boxes", "Symbols"]
InputType = Literal["float32", "int64"]
Symbol = Annotated[str, Field(min_length=1, max_length=32)]

TARGETS_OF: Final[dict[TaskName, tuple[TargetsKind, ...]]] = {
    "ImageClassification": ("Labels",),
    "ObjectDetection": ("Boxes",),
    "OCRRecognition": ("Symbols",),
    "TextClassification": ("Labels",),
    "SpeechRecognition": ("Labels", "Symbols"),
}
"""What a dataset must have for a task; speech is learnt from whole words or from transcripts."""


class LogMel(Frozen):
    """How sound becomes an image; mel bands and frames are in the input's shape."""

    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] = 16_000
    """Samples a second."""
    window: Annotated[int, Field(ge=16, le=65_536)] = 400
    """Samples of a frame."""
    hop: Annotated[int, Field(ge=8, le=65_536)] = 160
    """Samples from one frame to the next."""


class DatasetFacts(Frozen):
    """What the manifest of a dataset says of its samples."""

    reader: str = "npz"
    input_shape: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)]
    """Of one sample: channels, height, width; channels, bands, frames of sound; token ids of text."""
    num_classes: Annotated[int, Field(ge=1, le=1_000_000)]
    """Classes that a label or a box may be of; for texts the size of the alphabet, the blank not counted."""
    classes: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """Names of the classes, in the order of their labels; empty where nobody gave any."""
    splits: Annotated[dict[SplitName, Count], Field(min_length=1, max_length=16)]
    """Records of each split, bad ones included."""
    mean: tuple[float, ...] = ()
    """Per channel, of values scaled to 0..1; of log-mel values as they are. None for token ids."""
    std: tuple[Positive, ...] = ()
    source: str = ""
    """Where the samples come from, for people."""
    input_type: Annotated[InputType, Field(exclude_if=lambda value: value == "float32")] = "float32"
    targets: Annotated[TargetsKind, Field(exclude_if=lambda value: value == "Labels")] = "Labels"
    """What is to be found: one class a sample, boxes with classes, or a row of symbols."""
    alphabet: Annotated[tuple[Symbol, ...], Field(max_length=20_000, exclude_if=lambda value: not value)] = ()
    """Symbols by number, from 1: number 0 is the blank of CTC (Graves et al. 2006)."""
    log_mel: Annotated[LogMel | None, Field(exclude_if=lambda value: value is None)] = None
    """Of sound only."""
    vocabulary: Annotated[int | None, Field(ge=2, le=1_000_000, exclude_if=lambda value: value is None)] = (
        None
    )
    """Of text only: token ids are below it; 0 fills up, 1 is any unknown token."""

    @model_validator(mode="after")
    def _agree(self) -> DatasetFacts:
        channels = self.input_shape[0] if len(self.input_shape) > 1 else 1
        wanted = 0 if self.input_type == "int64" else channels
        if len(self.mean) != wanted or len(self.std) != wanted:
            raise ValueError(f"mean and std need one number for each of the {wanted} channels")
        if self.classes and len(self.classes) != self.num_classes:
            raise ValueError(f"classes names {len(self.classes)} of {self.num_classes} classes")
        if self.targets == "Labels" and self.num_classes < 2:
            raise ValueError("labels need two classes or more")
        if (self.targets == "Symbols") != bool(self.alphabet):
            raise ValueError("an alphabet belongs to targets of the kind Symbols, and they need one")
        if self.alphabet and len(set(self.alphabet)) != self.num_classes:
            raise ValueError(
                f"alphabet must hold {self.num_classes} different symbols, as many as numClasses says"
            )
        return self
