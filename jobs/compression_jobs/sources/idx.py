"""Classified images in the IDX format, as MNIST and Fashion-MNIST come.

Owns reading IDX files, and the dataset that is made of a folder of them.
"""

from __future__ import annotations

import gzip
import logging
import struct
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.inputs import PrepareDataInput
from compression_jobs.errors import InvalidData, NotFound
from compression_jobs.readers import DatasetFacts, npz

MAX_FILE_BYTES: Final = 1 << 30
_PARTS: Final = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTE: Final = 8

log = logging.getLogger(__name__)


def write(given: PrepareDataInput, folder: Path) -> DatasetFacts:
    """Write `train.npz` and `test.npz`, and return the facts of the manifest.

    Raises:
        NotFound: SourceNotFound.
        InvalidData: SourceInvalid.
    """
    source = Path(given.source)
    parts = {split: _part(source, prefix, given.padding) for split, prefix in _PARTS.items()}
    for split, wanted in (("train", given.train_samples), ("test", given.test_samples)):
        if wanted:
            images, labels = parts[split]
            parts[split] = images[:wanted], labels[:wanted]
    for split, (images, labels) in parts.items():
        npz.write(folder / f"{split}.npz", images, labels)
        log.info("split written", extra={"fields": {"split": split, "samples": len(labels)}})
    # Of the training split only: the test split must not shape its own inputs.
    images, _ = parts["train"]
    return DatasetFacts(
        input_shape=images.shape[1:],
        num_classes=len(given.classes) or max(int(labels.max()) for _, labels in parts.values()) + 1,
        classes=given.classes,
        splits={split: len(labels) for split, (_, labels) in parts.items()},
        mean=(round(float(images.mean()) / 255, 6),),
        std=(round(float(images.std()) / 255, 6),),
        source=given.title,
    )


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
