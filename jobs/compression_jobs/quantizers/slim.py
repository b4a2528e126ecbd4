"""PaddleSlim, behind the few functions that this project needs of it.

The only module that imports it. Owns its dialect: dictionaries of settings, names of observers, attributes of
its layers. What it measures of itself is never passed on; the evaluator measures.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.exporters.program import PROGRAM_SUFFIX, WEIGHTS_SUFFIX, load_program, static_mode
from compression_jobs.exporters.scales import LayerScales, positive
from compression_jobs.framework import nn, paddle, quiet
from compression_jobs.quantizers.calibration import BatchSource

# PaddleSlim loads Paddle, which only `framework` does in the right way: it comes after it.
# isort: split
import paddleslim
from paddle.static.quantization import utils as _observed
from paddleslim.quant import quant_post_static

quiet("paddle", "paddleslim")

ALGORITHMS: Final[Mapping[str, str]] = {
    "AVG": "avg",
    "AbsMax": "abs_max",
    "EMD": "emd",
    "Hist": "hist",
    "KL": "KL",
    "MSE": "mse",
}
WEIGHT_TYPES: Final[Mapping[bool, str]] = {True: "channel_wise_abs_max", False: "abs_max"}
LARGEST: Final = 127
"""The end of a symmetric signed 8-bit grid; PaddleSlim's scales are values at it."""
_PRODUCTS: Final = ("mul", "matmul", "matmul_v2")
_OPERATORS: Final = ("conv2d", "depthwise_conv2d", "conv2d_transpose", *_PRODUCTS)


def prepare_training(network: Any) -> Any:
    """Put fake quantisation before every convolution and fully connected layer of a network, in place.

    Weights by the largest value of each output channel, activations by a moving average of the largest. Paths
    of layers stay as they are.
    """
    prepared = _engine().quantize(network)
    # It also observes each layer's output, before batch normalisation, which no exporter may use.
    for parent in prepared.sublayers(include_self=True):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.quant.quant_layers.MAOutputScaleLayer):
                setattr(parent, name, child._layer)  # noqa: SLF001 - it has no public name
    return prepared


def save_trained(network: Any, specification: list[Any], prefix: Path) -> None:
    """Write a prepared network with its grids as a program that Paddle Inference runs on integers.

    Args:
        network: a prepared one with PaddleSlim's own quanters; it cannot be trained on afterwards.
        specification: of its input, `program.input_spec`.
        prefix: of the program.
    """
    network.eval()
    try:
        _engine().save_quantized_model(network, str(prefix), input_spec=specification)
    finally:
        paddle.disable_static()
    prefix.with_name(f"{prefix.name}{WEIGHTS_SUFFIX}.info").unlink(missing_ok=True)


def _engine() -> Any:
    return paddleslim.QAT(
        config={
            "weight_quantize_type": "channel_wise_abs_max",
            "activation_quantize_type": "moving_average_abs_max",
            "quantizable_layer_type": ["Conv2D", "Conv2DTranspose", "Linear"],
            "onnx_format": True,
        }
    )


def begin_at(quanter: Any, largest: float) -> None:
    """Let a moving average of largest values begin at what calibration saw, not at one."""
    # PaddleSlim has no public names for them.
    for tensor, value in ((quanter._scale, largest), (quanter._accum, largest), (quanter._state, 1.0)):  # noqa: SLF001
        tensor.set_value(paddle.to_tensor([max(value, 1e-8)], dtype="float32"))


def learned_step(quanter: Any) -> float:
    """The step of an activation's grid, of numbers -127..127."""
    return float(quanter._scale) / LARGEST  # noqa: SLF001


def weight_steps(weight: Any, axis: int) -> NDArray[np.float32]:
    """The steps of a weight's grids, [channels], as its quanter chooses them at each pass."""
    rows = np.moveaxis(weight.numpy(), axis, 0).reshape(weight.shape[axis], -1)
    steps: NDArray[np.float32] = np.abs(rows).max(axis=1) / LARGEST
    return steps


def trained_weights(network: Any) -> dict[str, NDArray[np.float32]]:
    """The weights and running statistics of a prepared network, by their names before it was prepared."""
    return {
        name: tensor.numpy() for name, tensor in network.state_dict().items() if "_fake_quant" not in name
    }


@dataclass(frozen=True, slots=True)
class Settings:
    """How to calibrate."""

    algorithm: str
    """A key of ALGORITHMS."""
    per_channel: bool
    """A scale for each output channel of a weight, or one for all."""
    skip: tuple[str, ...] = ()
    """Names of weights whose layers stay in floating point."""


def calibrate(program: Path, output: Path, batches: BatchSource, settings: Settings) -> None:
    """Quantise a program after training, its batch normalisations folded in before.

    Hist and KL go over the batches twice, the others once; one batch at a time is in memory, with all its
    activations. EMD and MSE try 36 ranges for each activation of each batch, and keep that of the
    batch with the least error: a few large batches suit them better than many small ones.

    Args:
        program: the prefix of an inference program.
        output: the prefix of the quantised one.
        batches: calibration inputs, all of one length.
        settings: how.
    """
    with static_mode() as (executor, scope):
        loaded = load_program(program, executor, scope)
        block = loaded.program.global_block()
        loader = paddle.io.DataLoader(
            _Batches(batches),
            batch_size=None,
            shuffle=False,
            feed_list=[block.var(name) for name in loaded.feeds],
            return_list=False,
            places=paddle.CPUPlace(),
        )
        # It draws progress bars, which in a log are noise.
        with contextlib.redirect_stderr(io.StringIO()), _scalars_as_rows():
            quant_post_static(
                executor,
                str(program.parent),
                str(output.parent),
                data_loader=loader,
                model_filename=f"{program.name}{PROGRAM_SUFFIX}",
                params_filename=f"{program.name}{WEIGHTS_SUFFIX}",
                save_model_filename=f"{output.name}{PROGRAM_SUFFIX}",
                save_params_filename=f"{output.name}{WEIGHTS_SUFFIX}",
                batch_size=len(batches[0]),
                batch_nums=len(batches),
                scope=scope,
                algo=ALGORITHMS[settings.algorithm],
                quantizable_op_type=list(_OPERATORS),
                weight_quantize_type=WEIGHT_TYPES[settings.per_channel],
                optimize_model=True,
                onnx_format=True,
                skip_tensor_list=[*settings.skip, *_without_weight(block)] or None,
            )


@contextlib.contextmanager
def _scalars_as_rows() -> Iterator[None]:
    """Let observers see a number without axes as a row of one: AVG asks each tensor for its first length."""
    load = _observed.load_variable_data
    _observed.load_variable_data = lambda scope, name: np.atleast_1d(load(scope, name))
    try:
        yield
    finally:
        _observed.load_variable_data = load


def _without_weight(block: Any) -> list[str]:
    """The inputs of products of two activations, as in attention: they are deployed in floating point."""
    stored = {name for name, variable in block.vars.items() if variable.persistable}
    products = [operator for operator in block.ops if operator.type in _PRODUCTS]
    return [operator.input("Y")[0] for operator in products if not stored & set(operator.input_arg_names)]


def calibrated_layers(program: Path, weights: Mapping[str, str]) -> tuple[LayerScales, ...]:
    """The grids in a program that `calibrate` wrote.

    Args:
        program: its prefix.
        weights: names of the weights in the float program, by layer.
    """
    layers = {weight: layer for layer, weight in weights.items()}
    found = []
    with static_mode() as (executor, scope):
        block = load_program(program, executor, scope).program.global_block()
        sources: dict[str, tuple[str, Any]] = {}
        for operator in block.ops:
            if operator.type == "dequantize_linear":
                scale = np.asarray(scope.find_var(operator.input("Scale")[0]).get_tensor())
                sources[operator.output("Y")[0]] = (operator.input("X")[0], scale)
            elif operator.type in _OPERATORS:
                inputs = [sources[name] for name in operator.input_arg_names if name in sources]
                known = [source for source in inputs if source[0] in layers]
                others = [source for source in inputs if source[0] not in layers]
                if known and others:
                    (weight, largest), (_, reach) = known[0], others[0]
                    found.append(_layer(layers[weight], weight, reach, largest))
    return tuple(found)


def _layer(path: str, weight: str, reach: Any, largest: Any) -> LayerScales:
    """From PaddleSlim's scales, which are values at the end of the grid, to steps."""
    return LayerScales(
        layer=path,
        weight=weight,
        input_step=positive(float(np.ravel(reach)[0]) / LARGEST),
        weight_steps=tuple(positive(float(value) / LARGEST) for value in np.ravel(largest)),
        measured="Deployed",
    )


class _Batches(paddle.io.Dataset):  # type: ignore[misc]
    """Calibration inputs a batch at a time, as the loader wants them."""

    def __init__(self, batches: BatchSource) -> None:
        super().__init__()
        self._batches = batches

    def __getitem__(self, place: int) -> tuple[NDArray[Any]]:
        return (self._batches[place],)

    def __len__(self) -> int:
        return len(self._batches)
