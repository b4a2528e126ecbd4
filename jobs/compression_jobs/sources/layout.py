"""Writing a dataset of pictures or sound: shards, and the numbers by which inputs are normalised.

Owns what the sources have in common. Must not know what is in a sample.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

DIGITS: Final = 6
"""Of the number that is a sample's name."""


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels [height, width] as a PNG file."""
    from PIL import Image  # noqa: PLC0415 - the image that resolves inputs has none

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=False)
    return buffer.getvalue()


def stream(seed: int, split: str, number: int) -> np.random.RandomState:
    """Random numbers of one sample, of the kind that NumPy promises never to change (NEP 19)."""
    return np.random.RandomState([seed & 0xFFFFFFFF, {"train": 1, "test": 2}[split], number])


@dataclass(slots=True)
class Moments:
    """Mean and deviation of values as they go by."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        """Take some more."""
        self.count += values.size
        self.total += float(values.sum())
        self.squares += float((values**2).sum())

    @property
    def mean(self) -> float:
        """Six digits: more would say nothing of other samples."""
        return round(self.total / self.count, 6)

    @property
    def std(self) -> float:
        """As `mean`."""
        return round(
            float(np.sqrt(max(self.squares / self.count - (self.total / self.count) ** 2, 1e-12))), 6
        )
