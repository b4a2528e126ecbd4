"""What a training came to.

Owns the record that is kept in the artifact. No clock is in it: the same training gives the same bytes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

CURVE_POINTS: Final = 50


@dataclass(frozen=True, slots=True)
class Epoch:
    """What an epoch came to."""

    epoch: int
    steps: int
    loss: float
    """The mean over its batches."""
    learning_rate: float
    """At its end."""
    curve: tuple[float, ...] = ()
    """Mean losses of at most CURVE_POINTS equal parts of it, for drawing."""

    def to_json(self) -> dict[str, Any]:
        """For artifact and checkpoint."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Epoch:
        """The same again."""
        return cls(**{**entry, "curve": tuple(entry["curve"])})


@dataclass(frozen=True, slots=True)
class History:
    """A training from start to end."""

    epochs: tuple[Epoch, ...]
    resumed_at_step: int = 0
    """Where an interrupted one went on; 0 began at the start."""
    samples_per_second: float = 0.0
    """Of all replicas together, in this process's time."""

    @property
    def steps(self) -> int:
        """Steps in all."""
        return sum(epoch.steps for epoch in self.epochs)

    @property
    def loss(self) -> float:
        """The last epoch's."""
        return self.epochs[-1].loss

    def facts(self) -> dict[str, Any]:
        """What a stage's TrainFacts say of it, by the names of their fields."""
        return {
            "steps": self.steps,
            "loss": round(self.loss, 6),
            "resumed_at_step": self.resumed_at_step,
            "samples_per_second": self.samples_per_second,
        }

    def to_json(self) -> list[dict[str, Any]]:
        """For the artifact."""
        return [epoch.to_json() for epoch in self.epochs]
