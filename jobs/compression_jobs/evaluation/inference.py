"""Running a session over many samples.

Owns batching (a model with a fixed batch gets its last one filled up) and the refusal of outputs that are no
numbers. Must not know metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.metrics.answers import Answers
from compression_jobs.readers import Indices, Split
from compression_jobs.readers.facts import InputType
from compression_jobs.runtimes import DATATYPES, Session
from compression_jobs.tasks import Task

BATCH: Final = 64
"""Samples a call where the model leaves it free; integer kernels answer a row alike in any batch."""


def require_fit(
    session: Session,
    name: str,
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    input_type: InputType = "float32",
) -> None:
    """Refuse a model that is made for other data.

    Args:
        session: of the model.
        name: of the model, for sentences.
        input_shape: of one sample of the dataset.
        output_shape: of its task for one sample, -1 where the network decides.
        input_type: of the dataset's samples.

    Raises:
        InvalidData: ShapeMismatch.
    """
    if DATATYPES[session.input.datatype] != np.dtype(input_type):
        raise InvalidData(
            "ShapeMismatch",
            f"{name} takes {session.input.datatype}, the dataset holds {input_type}; "
            "train and export it for this data.",
        )
    wanted = {"input": input_shape, "output": output_shape}
    for word, spec in (("input", session.input), ("output", session.output)):
        shape = spec.shape[1:]
        fits = len(shape) == len(wanted[word]) and all(
            -1 in {found, want} or found == want for found, want in zip(shape, wanted[word], strict=True)
        )
        if not fits:
            raise InvalidData(
                "ShapeMismatch",
                f"{name} has {word} {list(spec.shape)}, the dataset needs {[-1, *wanted[word]]}; "
                "train and export it for this data.",
            )


def choose(samples: int, limit: int, seed: int) -> Indices:
    """Which samples are measured: all, or a seeded draw of `limit`, in the split's order.

    A draw and not the first ones: test sets are often sorted by class.
    """
    if limit == 0 or limit >= samples:
        return np.arange(samples)
    return np.sort(np.random.default_rng(seed).permutation(samples)[:limit])


def call_input(session: Session, split: Split, batch_size: int) -> NDArray[np.float32]:
    """The input of one timed call: the split's first samples, as many as a call takes."""
    fixed = session.input.shape[0]
    return split.inputs(np.arange(fixed if fixed > 0 else batch_size) % len(split))


def outputs(session: Session, name: str, split: Split, indices: Indices) -> Iterator[NDArray[np.float32]]:
    """The outputs [k, ...] of some samples, a batch at a time.

    Raises:
        InvalidData: ModelFailed; InvalidOutputs, NaN, infinity or a wrong shape.
    """
    fixed = session.input.shape[0]
    size = fixed if fixed > 0 else BATCH
    for start in range(0, len(indices), size):
        chosen = indices[start : start + size]
        batch = split.inputs(chosen)
        if fixed > 0 and len(chosen) < fixed:
            batch = np.concatenate([batch, np.zeros((fixed - len(chosen), *batch.shape[1:]), batch.dtype)])
        answer = session.run(batch)
        if answer.ndim != len(session.output.shape) or len(answer) != len(batch):
            raise InvalidData(
                "InvalidOutputs", f"{name} answers {len(batch)} samples with shape {list(answer.shape)}."
            )
        if not np.isfinite(answer).all():
            raise InvalidData(
                "InvalidOutputs",
                f"{name} answers with NaN or infinity near sample {int(chosen[0])} of the test split.",
            )
        yield answer[: len(chosen)]


def answers(session: Session, name: str, split: Split, indices: Indices, task: Task) -> Answers:
    """The answers to some samples of a split; nothing but them stays in memory.

    Raises:
        InvalidData: as `outputs`.
    """
    parts, start = [], 0
    for batch in outputs(session, name, split, indices):
        parts.append(task.judge(batch, split.targets(indices[start : start + len(batch)])))
        start += len(batch)
    return Answers.joined(parts)
