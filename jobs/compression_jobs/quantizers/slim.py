"""PaddleSlim, behind the few functions that this project needs of it.

The only module that imports it. Owns its dialect: dictionaries of settings, names of observers, attributes of
its layers. What it measures of itself is never passed on; the evaluator measures.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from compression_jobs.exporters.program import PROGRAM_SUFFIX, WEIGHTS_SUFFIX, load_program, static_mode
from compression_jobs.exporters.scales import LayerScales, positive
from compression_jobs.framework import paddle, quiet

# PaddleSlim loads Paddle, which only `framework` does in the right way: it comes after it.
# isort: split
import paddleslim
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
_OPERATORS: Final = ("conv2d", "depthwise_conv2d", "mul", "matmul", "matmul_v2")


def prepare_training(network: Any) -> Any:
    """Put fake quantisation before every convolution and fully connected layer of a network, in place.

    Weights by the largest value of each output channel, activations by a moving average of the largest.
    """
    engine = paddleslim.QAT(
        config={
            "weight_quantize_type": "channel_wise_abs_max",
            "activation_quantize_type": "moving_average_abs_max",
            "quantizable_layer_type": ["Conv2D", "Linear"],
            "onnx_format": True,
        }
    )
    return engine.quantize(network)


def trained_layers(network: Any, weights: Mapping[str, str]) -> tuple[LayerScales, ...]:
    """What the fake quantisers of a network learned.

    Args:
        network: a prepared one.
        weights: names of the weights in the float program, by layer.
    """
    found = []
    for path, layer in network.named_sublayers():
        if hasattr(layer, "_fake_quant_input") and hasattr(layer, "_fake_quant_weight"):
            plain = _plain(path)
            # PaddleSlim has no public names for them.
            reach, largest = layer._fake_quant_input._scale, layer._fake_quant_weight._scale  # noqa: SLF001
            found.append(_layer(plain, weights[plain], reach.numpy(), largest.numpy(), "BeforeNormalisation"))
    return tuple(found)


def trained_weights(network: Any) -> dict[str, NDArray[np.float32]]:
    """The weights and running statistics of a prepared network, by their names before it was prepared."""
    return {
        _plain(name): tensor.numpy()
        for name, tensor in network.state_dict().items()
        if "_fake_quant" not in name and "_ma_output_scale" not in name
    }


def calibrate(
    program: Path,
    output: Path,
    batches: Sequence[NDArray[np.float32]],
    algorithm: str,
    per_channel: bool,
    skip: Sequence[str] = (),
) -> None:
    """Quantise a program after training, its batch normalisations folded in before.

    Args:
        program: the prefix of an inference program.
        output: the prefix of the quantised one.
        batches: calibration inputs, all of one length.
        algorithm: a key of ALGORITHMS.
        per_channel: a scale for each output channel of a weight, or one for all.
        skip: names of weights whose layers stay in floating point.
    """
    data = np.concatenate(batches)
    with static_mode() as (executor, scope):
        loaded = load_program(program, executor, scope)
        feeds = [loaded.program.global_block().var(name) for name in loaded.feeds]
        loader = paddle.io.DataLoader(
            _Samples(data),
            batch_size=len(batches[0]),
            feed_list=feeds,
            return_list=False,
            places=paddle.CPUPlace(),
        )
        # It draws progress bars, which in a log are noise.
        with contextlib.redirect_stderr(io.StringIO()):
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
                algo=ALGORITHMS[algorithm],
                quantizable_op_type=list(_OPERATORS),
                weight_quantize_type=WEIGHT_TYPES[per_channel],
                optimize_model=True,
                onnx_format=True,
                skip_tensor_list=list(skip) or None,
            )


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
                    found.append(_layer(layers[weight], weight, reach, largest, "Deployed"))
    return tuple(found)


def _layer(
    path: str, weight: str, reach: Any, largest: Any, measured: Literal["BeforeNormalisation", "Deployed"]
) -> LayerScales:
    """From PaddleSlim's scales, which are values at the end of the grid, to steps."""
    return LayerScales(
        layer=path,
        weight=weight,
        input_step=positive(float(np.ravel(reach)[0]) / LARGEST),
        weight_steps=tuple(positive(float(value) / LARGEST) for value in np.ravel(largest)),
        measured=measured,
    )


def _plain(name: str) -> str:
    """A name in the network before PaddleSlim wrapped its layers."""
    return name.replace("._layer", "")


class _Samples(paddle.io.Dataset):  # type: ignore[misc]
    """Calibration inputs one by one, as the loader wants them."""

    def __init__(self, inputs: NDArray[np.float32]) -> None:
        super().__init__()
        self._inputs = inputs

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        sample: NDArray[np.float32] = self._inputs[index]
        return sample

    def __len__(self) -> int:
        return len(self._inputs)
