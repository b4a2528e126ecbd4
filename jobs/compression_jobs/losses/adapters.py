"""Trainable maps between a student's features and those of a wider or narrower teacher.

Owns their layers and the sentence that says which one fits. An adapter is trained with the student and thrown
away: it is no part of the student's layers, so that nothing can export it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from compression_jobs.framework import nn, paddle
from compression_jobs.losses.mimic import Shape


def adapted(kind: str, student: Shape, teacher: Shape) -> Shape:
    """The shape of a student's feature behind an adapter, without the batch.

    Raises:
        ValueError: the adapter cannot read such a feature; says which one can.
    """
    if kind == "Conv1x1":
        if len(student) != 3:
            raise ValueError(f"Conv1x1 reads maps, not features of {list(student)}; use adapter: Linear")
        return (teacher[0] if len(teacher) == 3 else teacher[-1], *student[1:])
    if kind == "Linear":
        if len(student) == 3:
            raise ValueError(
                f"Linear reads sequences and vectors, not maps of {list(student)}; use adapter: Conv1x1"
            )
        return (*student[:-1], teacher[0] if len(teacher) == 3 else teacher[-1])
    return student


def build(kind: str, name: str, student: Shape, teacher: Shape) -> nn.Layer | None:
    """The layer of an adapter with fresh weights; None where features are compared as they are.

    Args:
        kind: as the job gives it.
        name: of its own: optimisers know parameters by their names, and those of the student stay what they
            are without adapters.
        student: what it reads.
        teacher: what it is to look like.
    """
    if kind not in _MAKERS:
        return None
    inputs = student[0] if len(student) == 3 else student[-1]
    outputs = teacher[0] if len(teacher) == 3 else teacher[-1]
    with paddle.base.unique_name.guard(f"{name}."):
        return _MAKERS[kind](inputs, outputs)


def fitting(student: Shape, teacher: Shape) -> str:
    """The adapter that makes two features comparable; empty where none does."""
    if len(student) != len(teacher):
        return ""
    if len(student) == 3:
        return "Conv1x1" if student[1:] == teacher[1:] else ""
    return "Linear" if student[:-1] == teacher[:-1] else ""


_MAKERS: Final[Mapping[str, Callable[[int, int], nn.Layer]]] = {
    # As the regressors of FitNets (Romero et al. 2015), without their own size of kernel.
    "Conv1x1": lambda inputs, outputs: nn.Conv2D(inputs, outputs, 1, bias_attr=False),
    "Linear": nn.Linear,
}
