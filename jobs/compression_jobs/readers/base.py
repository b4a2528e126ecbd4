"""What every reader of datasets offers.

Owns the facts of a dataset and the Protocol between files and those who train or measure. Must not import a
training framework: the evaluator's image has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from compression_contract.base import Frozen
from compression_contract.methods import Count, Positive

Indices = NDArray[np.int64]

SplitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$")]


class DatasetFacts(Frozen):
    """What the manifest of a dataset says of its samples."""

    reader: str = "npz"
    input_shape: Annotated[tuple[Count, ...], Field(min_length=3, max_length=3)]
    """Channels, height, width."""
    num_classes: Annotated[int, Field(ge=2, le=1_000_000)]
    classes: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    """Names of the classes, in the order of their labels; empty where nobody gave any."""
    splits: Annotated[dict[SplitName, Count], Field(min_length=1, max_length=16)]
    """Samples of each split."""
    mean: Annotated[tuple[float, ...], Field(min_length=1)]
    """Per channel, of values scaled to 0..1."""
    std: Annotated[tuple[Positive, ...], Field(min_length=1)]
    source: str = ""
    """Where the samples come from, for people."""

    @model_validator(mode="after")
    def _lengths_agree(self) -> DatasetFacts:
        channels = self.input_shape[0]
        if len(self.mean) != channels or len(self.std) != channels:
            raise ValueError(f"mean and std need one number for each of the {channels} channels")
        if self.classes and len(self.classes) != self.num_classes:
            raise ValueError(f"classes names {len(self.classes)} of {self.num_classes} classes")
        return self


class Split(Protocol):
    """One part of a dataset; sample i is `inputs([i])[0]` with the label `labels[i]`."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of every sample, [n]."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def inputs(self, indices: Indices) -> NDArray[np.float32]:
        """Normalised samples, [len(indices), channels, height, width]."""
        ...


class Reader(Protocol):
    """One format of datasets."""

    def files(self, split: str) -> tuple[str, ...]:
        """The artifact's files that a split needs, so that no more is fetched."""
        ...

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> Split:
        """Open a split.

        Raises:
            InvalidData: DatasetInvalid, the files are not what the facts say.
        """
        ...
