"""Prepare data: an image dataset in the IDX format (as MNIST and Fashion-MNIST come) becomes an artifact.

Owns reading IDX files and laying out the dataset. The samples come with the image, as pods have no way out
to the internet; the same files and settings give the same artifact, and nothing is done where it is stored
already.
"""

from __future__ import annotations

import gzip
import logging
import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.artifacts import ArtifactKind
from compression_contract.inputs import PrepareDataInput
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.errors import InvalidData, NotFound
from compression_jobs.readers import DatasetFacts, npz

MAX_FILE_BYTES: Final = 1 << 30
_PARTS: Final = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTE: Final = 8

log = logging.getLogger(__name__)


def run(context: StageContext[PrepareDataInput]) -> StageOutcome:
    """Write the dataset.

    Raises:
        NotFound: SourceNotFound.
        InvalidData: SourceInvalid.
    """
    folder = context.folder("dataset")
    facts = prepare(context.parameters, folder)
    return StageOutcome(None, Output(folder, ArtifactKind.DATASET, facts))


def prepare(given: PrepareDataInput, folder: Path) -> dict[str, Any]:
    """Write `train.npz` and `test.npz`, and return the facts of the manifest."""
    source = Path(given.source)
    parts = {split: _part(source, prefix, given.padding) for split, prefix in _PARTS.items()}
    if given.train_samples:
        images, labels = parts["train"]
        parts["train"] = images[: given.train_samples], labels[: given.train_samples]
    for split, (images, labels) in parts.items():
        npz.write(folder / f"{split}.npz", images, labels)
        log.info("split written", extra={"fields": {"split": split, "samples": len(labels)}})
    # Of the training split only: the test split must not shape its own inputs.
    images, _ = parts["train"]
    facts = DatasetFacts(
        input_shape=images.shape[1:],
        num_classes=len(given.classes) or max(int(labels.max()) for _, labels in parts.values()) + 1,
        classes=given.classes,
        splits={split: len(labels) for split, (_, labels) in parts.items()},
        mean=(round(float(images.mean()) / 255, 6),),
        std=(round(float(images.std()) / 255, 6),),
        source=given.title,
    )
    return facts.wire()


def _part(source: Path, prefix: str, padding: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images = read_idx(source / f"{prefix}-images-idx3-ubyte.gz", 3)
    labels = read_idx(source / f"{prefix}-labels-idx1-ubyte.gz", 1)
    if len(images) != len(labels) or len(images) == 0:
        raise InvalidData(
            "SourceInvalid",
            f"{source}: {prefix} has {len(images)} images and {len(labels)} labels; take the whole dataset.",
        )
    padded = np.pad(images, ((0, 0), (padding, padding), (padding, padding)))
    return padded[:, np.newaxis], labels.astype(np.int64)


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """An array of bytes in the IDX format, packed by gzip (http://yann.lecun.com/exdb/mnist).

    Raises:
        NotFound: SourceNotFound.
        InvalidData: SourceInvalid.
    """
    try:
        with gzip.open(path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound("SourceNotFound", f"There is no {path}; check the data image.") from error
    except (OSError, EOFError) as error:
        raise InvalidData(
            "SourceInvalid", f"{path} is no gzip file ({error}); check the data image."
        ) from error
    start = 4 + 4 * dimensions
    if (
        len(data) > MAX_FILE_BYTES
        or len(data) < start
        or data[:4] != bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    ):
        raise InvalidData("SourceInvalid", f"{path} holds no IDX array of bytes in {dimensions} dimensions.")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    if int(np.prod(shape, dtype=np.float64)) != len(data) - start:
        raise InvalidData("SourceInvalid", f"{path} says {shape} and holds {len(data) - start} bytes.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
