"""What a model said of samples, reduced to what metrics need.

Owns joining and keeping such records. Must not know what is in them: each task writes and reads its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Answers:
    """Small records of n samples: arrays by name, each of length n in the same order.

    All metrics of a task can be computed from them, so that keeping them keeps the evidence.
    """

    records: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        if len({len(record) for record in self.records.values()}) != 1:
            raise ValueError("all records must be of the same samples")

    @classmethod
    def joined(cls, parts: Iterable[Answers]) -> Answers:
        """One after the other."""
        all_parts = list(parts)
        return cls(
            {name: np.concatenate([part[name] for part in all_parts]) for name in all_parts[0].records}
        )

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.records[name]

    def __len__(self) -> int:
        return len(next(iter(self.records.values())))
