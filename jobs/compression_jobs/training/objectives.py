"""What a batch is judged by: truth alone, or truth and teachers.

Owns the sum of the losses. Must not know how targets were made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

from compression_contract.methods import AlphaPoint
from compression_jobs.framework import nn, paddle
from compression_jobs.losses.alpha import alpha_at
from compression_jobs.losses.distillation import weighted
from compression_jobs.losses.mimic import Mimic
from compression_jobs.losses.supervision import Supervision
from compression_jobs.readers import Indices, Split
from compression_jobs.training.lessons import Batch, Lesson
from compression_jobs.training.taps import Taps


class Objective(Protocol):
    """A loss of some samples."""

    def loss(self, output: paddle.Tensor, samples: Indices, progress: float) -> paddle.Tensor:
        """The mean loss of a batch, inside of `watching`.

        Args:
            output: of the network, [len(samples), *output_shape].
            samples: their numbers in the training split.
            progress: share of training that is done, 0..1.
        """
        ...

    def layers(self) -> Mapping[str, nn.Layer]:
        """What is trained beside the network, by name: no part of it, but of its checkpoints."""
        ...

    def watching(self, network: Any) -> AbstractContextManager[None]:
        """See the network's steps while the block runs; it wraps all of a training."""
        ...


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of the samples, alone."""

    supervision: Supervision
    split: Split

    def loss(self, output: paddle.Tensor, samples: Indices, progress: float) -> paddle.Tensor:  # noqa: ARG002
        """See Objective.loss."""
        return self.supervision.loss(output, self.split.targets(samples))

    def layers(self) -> Mapping[str, nn.Layer]:
        """See Objective.layers."""
        return {}

    def watching(self, network: Any) -> AbstractContextManager[None]:  # noqa: ARG002
        """See Objective.watching."""
        return nullcontext()


@dataclass(frozen=True, slots=True)
class Imitation:
    """One layer of the student that is to become like one of a teacher."""

    student: str
    """The layer's path."""
    lesson: Lesson
    mimic: Mimic
    weight: float
    adapter: nn.Layer | None = None

    def loss(self, feature: paddle.Tensor, batch: Batch) -> paddle.Tensor:
        """The weighted distance."""
        adapted = feature if self.adapter is None else self.adapter(feature)
        return self.weight * self.mimic.loss(adapted, paddle.to_tensor(self.lesson.of(batch)))


@dataclass(frozen=True, slots=True)
class Distilled:
    """Truth and teachers: (1 - alpha) truth + alpha T^2 distance + the sum of the imitations."""

    supervision: Supervision
    split: Split
    soft: Lesson
    temperature: float
    scale_by_temperature_squared: bool
    alpha: Sequence[AlphaPoint]
    imitations: Sequence[Imitation] = ()
    taps: Taps = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "taps", Taps([one.student for one in self.imitations]))

    def loss(self, output: paddle.Tensor, samples: Indices, progress: float) -> paddle.Tensor:
        """See Objective.loss."""
        batch = Batch(samples, self.taps.input)
        truth = self.supervision.loss(output, self.split.targets(samples))
        soft = self.supervision.distance(output, paddle.to_tensor(self.soft.of(batch)), self.temperature)
        factor = self.temperature**2 if self.scale_by_temperature_squared else 1.0
        total = weighted(truth, soft, alpha_at(self.alpha, progress), factor)
        for one in self.imitations:
            total = total + one.loss(self.taps.features[one.student], batch)
        return total

    def layers(self) -> Mapping[str, nn.Layer]:
        """See Objective.layers."""
        return {
            f"features.{place}": one.adapter
            for place, one in enumerate(self.imitations)
            if one.adapter is not None
        }

    @contextmanager
    def watching(self, network: Any) -> Iterator[None]:
        """See Objective.watching."""
        for adapter in self.layers().values():
            adapter.train()
        with self.taps.attached(network):
            yield
