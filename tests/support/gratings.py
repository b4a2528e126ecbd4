"""A classification task that a small network learns in seconds: noisy stripes in one of four directions."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CLASSES = 4
SIZE = 16
SHAPE = (1, SIZE, SIZE)


def images(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images [count, 16, 16] and their labels."""
    random = np.random.RandomState(seed)
    labels = random.randint(0, CLASSES, count)
    angles = labels * np.pi / CLASSES + random.normal(0, 0.12, count)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE]
    along = (
        np.cos(angles)[:, None, None] * columns
        + np.sin(angles)[:, None, None] * rows
        + random.uniform(0, 6, count)[:, None, None]
    )
    contrast = random.uniform(20, 90, count)[:, None, None]
    values = 120 + contrast * np.sin(along) + random.normal(0, 25, (count, SIZE, SIZE))
    return np.clip(values, 0, 255).astype(np.uint8), labels.astype(np.int64)


def write_idx(folder: Path, train: int = 600, test: int = 400) -> Path:
    """Both splits as files in the IDX format."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count, seed in (("train", train, 1), ("t10k", test, 2)):
        pixels, labels = images(count, seed)
        for name, array in (("images-idx3", pixels), ("labels-idx1", labels.astype(np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            path = folder / f"{prefix}-{name}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))
    return folder
