"""Reading a network's operators off its inference program.

Owns what is taken of a program. Must not interpret it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from compression_jobs.channels.trace import Operator, Trace
from compression_jobs.exporters.program import load_program, save_program, static_mode

_ATTRIBUTES: Final = (
    *("axis", "groups", "start_axis", "stop_axis", "trans_x", "trans_y", "transpose_X", "transpose_Y"),
    *("dim", "keep_dim", "reduce_all", "begin_norm_axis", "axes", "paddings", "padding_algorithm"),
    *("alpha", "pooling_type", "x_num_col_dims"),
)
_LISTED: Final = frozenset({"feed", "fetch"})


def trace(network: Any, input_shape: tuple[int, ...], input_type: str = "float32") -> Trace:
    """Read a network, which is left in evaluation mode."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = Path(folder) / "model"
        save_program(network, input_shape, prefix, input_type)
        with static_mode() as (executor, scope):
            loaded = load_program(prefix, executor, scope)
            block = loaded.program.global_block()
            operators = tuple(_operator(found) for found in block.ops if found.type not in _LISTED)
            names = {name for operator in operators for name in (*operator.reads, *operator.writes)}
            variables = {name: block.var(name) for name in names if block.has_var(name)}
            return Trace(
                operators=operators,
                shapes={name: tuple(variable.shape) for name, variable in variables.items()},
                parameters=frozenset(name for name, variable in variables.items() if variable.persistable),
                inputs=tuple(loaded.feeds),
                outputs=tuple(fetch.name for fetch in loaded.fetches),
            )


def _operator(found: Any) -> Operator:
    return Operator(
        kind=found.type,
        inputs={slot: tuple(found.input(slot)) for slot in found.input_names if found.input(slot)},
        outputs={slot: tuple(found.output(slot)) for slot in found.output_names if found.output(slot)},
        attributes={name: found.attr(name) for name in _ATTRIBUTES if found.has_attr(name)},
    )
