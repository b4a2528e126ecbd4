"""Paddle's inference programs: written from a network, run for their answers.

Owns static mode, which is entered and left here and in the post-training quantiser only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.framework import paddle

PROGRAM_SUFFIX: Final = ".pdmodel"
WEIGHTS_SUFFIX: Final = ".pdiparams"
INPUT_NAME: Final = "input"


def input_spec(input_shape: tuple[int, ...], input_type: str = "float32") -> list[Any]:
    """The one input of every network here: a batch of any size, of numbers or of token ids."""
    return [paddle.static.InputSpec([None, *input_shape], input_type, INPUT_NAME)]


def save_program(
    network: Any, input_shape: tuple[int, ...], prefix: Path, input_type: str = "float32"
) -> None:
    """Write a network in evaluation mode as `prefix`.pdmodel and `prefix`.pdiparams."""
    network.eval()
    paddle.jit.save(network, str(prefix), input_spec=input_spec(input_shape, input_type))
    # A pickle for people who load the program to train on; nobody should have to open one.
    prefix.with_name(f"{prefix.name}{WEIGHTS_SUFFIX}.info").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class LoadedProgram:
    """An inference program in static mode."""

    program: Any
    feeds: list[str]
    fetches: list[Any]
    scope: Any
    executor: Any

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first output."""
        found = self.executor.run(self.program, feed={self.feeds[0]: inputs}, fetch_list=self.fetches)
        return np.asarray(found[0], np.float32)


@contextmanager
def static_mode() -> Iterator[tuple[Any, Any]]:
    """An executor and a scope of its own; dynamic mode again afterwards."""
    paddle.enable_static()
    scope = paddle.static.Scope()
    try:
        with paddle.static.scope_guard(scope):
            yield paddle.static.Executor(paddle.CPUPlace()), scope
    finally:
        paddle.disable_static()


def load_program(prefix: Path, executor: Any, scope: Any) -> LoadedProgram:
    """Read a program; to be called in static mode."""
    program, feeds, fetches = paddle.static.load_inference_model(str(prefix), executor)
    return LoadedProgram(program, feeds, fetches, scope, executor)


def run_program(prefix: Path, batches: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """A stored program's first output for all batches together."""
    with static_mode() as (executor, scope):
        program = load_program(prefix, executor, scope)
        return np.concatenate([program.run(batch) for batch in batches])
