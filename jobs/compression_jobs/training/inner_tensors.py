"""Inner tensors of inference programs: which layer made them, and how to have them as outputs.

Owns the record of layer paths that a stored program carries in its artifact's facts, and the program with
more outputs that is made of it. Must not know why anybody wants them.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from compression_jobs.errors import InvalidInput
from compression_jobs.exporters.program import load_program, static_mode
from compression_jobs.framework import paddle

LAYERS_FACT: Final = "layers"
"""The fact of a stored program's artifact: a mapping of layer paths to names of tensors."""
_NAMED: Final = 12

log = logging.getLogger(__name__)


@contextmanager
def recorded(network: Any) -> Iterator[Mapping[str, str]]:
    """The name of each layer's output in the program that is traced inside of the block.

    Layers are named by their paths, as `named_sublayers` has them.
    """
    names: dict[str, str] = {}

    def record(path: str) -> Any:
        def hook(_layer: Any, _inputs: Any, output: Any) -> None:
            # While a program is traced layers give its variables; otherwise they give values.
            if isinstance(output, paddle.static.Variable):
                names[path] = output.name

        return hook

    hooks = [layer.register_forward_post_hook(record(path)) for path, layer in network.named_sublayers()]
    try:
        yield names
    finally:
        for hook in hooks:
            hook.remove()


def with_outputs(prefix: Path, layers: Sequence[str], record: Mapping[str, str], target: Path) -> None:
    """Write a stored program once more, with layers' outputs as outputs behind its own.

    Written anew, it is optimised like any other: what is asked for is kept, everything else is fused.

    Args:
        prefix: of the stored program.
        layers: paths in `record`, or names of tensors of the program, in the order of the new outputs.
        record: the names of layers' outputs; empty for a program whose origin did not record them.
        target: prefix of the new program.

    Raises:
        InvalidInput: LayerUnknown.
    """
    with static_mode() as (executor, scope):
        loaded = load_program(prefix, executor, scope)
        block = loaded.program.global_block()
        made = {name for operator in block.ops for name in operator.output_arg_names}
        known = {path: tensor for path, tensor in record.items() if tensor in made}
        wanted = []
        for layer in layers:
            if layer not in known and layer not in made:
                raise unknown_layer(layer, known or made, "The teacher")
            wanted.append(block.var(known.get(layer, layer)))
        paddle.static.save_inference_model(
            str(target),
            [block.var(name) for name in loaded.feeds],
            [*loaded.fetches, *wanted],
            executor,
            program=loaded.program,
        )


def unknown_layer(name: str, known: Collection[str], whose: str) -> InvalidInput:
    """The error about a layer that is not there: the likeliest names in its sentence, all in the log."""
    log.error("known layers", extra={"fields": {"layers": sorted(known)}})
    near = difflib.get_close_matches(name, sorted(known), _NAMED, cutoff=0.0)
    rest = f" and {len(known) - len(near)} more, listed in the log" if len(known) > len(near) else ""
    return InvalidInput(
        "LayerUnknown",
        f"{whose} has no layer {name!r}; it has {', '.join(near)}{rest}; correct distill.features.",
    )
