"""The data of a stage that trains or calibrates.

Owns which files are fetched and which samples may be used for what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.methods import DatasetInput
from compression_jobs.context import StageContext
from compression_jobs.errors import InvalidData
from compression_jobs.readers import DatasetFacts, Indices, Split, files_of, is_authored, open_reader
from compression_jobs.readers.calibration import carve

SAMPLE: Final = 2000
"""Test samples whose logits are kept for the comparison of deployed and fake-quantised model."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some samples of a split."""

    split: Split
    samples: Indices


@dataclass(frozen=True, slots=True)
class Data:
    """A dataset by use; no sample is in two of the parts."""

    facts: DatasetFacts
    training: Part
    calibration: Part
    test: Part
    bad_records: int = 0
    """Left out of all splits together."""

    def require_fit(self, input_shape: tuple[int, ...], classes: int, what: str) -> None:
        """Refuse a network that is not made for this dataset.

        Raises:
            InvalidData: ShapesDiffer, ClassesDiffer.
        """
        if input_shape != self.facts.input_shape:
            raise InvalidData(
                "ShapesDiffer",
                f"{what} takes samples of shape {list(input_shape)}, those of the dataset are "
                f"{list(self.facts.input_shape)}; correct spec.student.inputShape.",
            )
        if classes != self.facts.num_classes:
            raise InvalidData(
                "ClassesDiffer",
                f"{what} knows {classes} classes, the dataset has {self.facts.num_classes}; "
                "correct spec.student.numClasses.",
            )


def open_data(context: StageContext[Any], given: DatasetInput) -> Data:
    """Fetch and open a dataset for training or calibration.

    Raises:
        InvalidInput, InvalidData, NotFound, Denied, Unavailable: of the reader or the store.
    """
    names = given.splits
    wanted = files_of(given.reader, names.train, names.calibration, names.test)
    reference = ArtifactRef(uri=given.uri, digest=given.digest)
    artifact = context.fetch(reference, ArtifactKind.DATASET, only=wanted)
    dataset = open_reader(given.reader, artifact, given.max_bad_records)
    # The evaluator runs nobody's code: what is compared with its answers is read as it reads.
    judged = open_reader("", artifact, given.max_bad_records) if is_authored(given.reader) else dataset
    train, test = dataset.split(names.train), judged.split(names.test)
    bad = len(train.bad) + len(test.bad)
    test_part = Part(test, evenly(len(test), SAMPLE))
    if dataset.has(names.calibration):
        calibration = dataset.split(names.calibration)
        own = Part(calibration, np.arange(len(calibration)))
        every = Part(train, np.arange(len(train)))
        return Data(dataset.facts, every, own, test_part, bad + len(calibration.bad))
    parts = carve(len(train), given.seed)
    training, reserved = Part(train, parts.training), Part(train, parts.calibration)
    return Data(dataset.facts, training, reserved, test_part, bad)


def evenly(size: int, wanted: int) -> Indices:
    """At most `wanted` numbers below `size`, evenly apart, the same each time; 0 wants all."""
    count = min(size, wanted) if wanted else size
    return (np.arange(count, dtype=np.int64) * size) // max(1, count)
