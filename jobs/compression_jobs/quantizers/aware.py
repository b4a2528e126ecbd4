"""A network under fake quantisation, and the grids that it learned.

Owns which quanter stands where, and that each begins at what the data reach. Must not know formulas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from compression_contract.methods import Quanters
from compression_jobs.exporters.scales import LayerScales, positive
from compression_jobs.framework import nn
from compression_jobs.quantizers import slim
from compression_jobs.quantizers.quanters import LearnedGrid, LearnedLimit, LearnedWeightSteps
from compression_jobs.quantizers.ranges import Range

_INPUT: Final = "_fake_quant_input"
_WEIGHT: Final = "_fake_quant_weight"
"""Attributes of PaddleSlim's layers, in front of which its quanters or ours stand."""


def prepare(network: Any, quanters: Quanters, ranges: Mapping[str, Range]) -> Any:
    """Put fake quantisation before every convolution and fully connected layer of a network, in place.

    Args:
        network: a float one.
        quanters: what is to learn the grids.
        ranges: what each layer reads, from `ranges.observe` of the same network.
    """
    prepared = slim.prepare_training(network)
    for path, layer in _quantised(prepared):
        reach = ranges.get(path)
        if reach is not None:
            low, high = (0.0 if reach.not_negative else reach.typical[0]), reach.typical[1]
            _set_input(layer, quanters.activation, low, high)
        if quanters.weight == "LSQplus":
            axis = _output_axis(layer)
            setattr(layer, _WEIGHT, LearnedWeightSteps(layer.weight.numpy(), axis))
    return prepared


def trained_layers(network: Any, weights: Mapping[str, str]) -> tuple[LayerScales, ...]:
    """What the quanters of a network learned.

    Args:
        network: a prepared one.
        weights: names of the weights in the float program, by layer; others are left out.
    """
    found = []
    for path, layer in _quantised(network):
        if path not in weights:
            continue
        reader, writer = getattr(layer, _INPUT), getattr(layer, _WEIGHT)
        if isinstance(reader, LearnedGrid | LearnedLimit):
            step, zero_point = reader.grid()
        else:
            step, zero_point = slim.learned_step(reader), None
        own = isinstance(writer, LearnedWeightSteps)
        steps = writer.steps() if own else slim.weight_steps(layer.weight, _output_axis(layer))
        found.append(
            LayerScales(
                layer=path,
                weight=weights[path],
                input_step=positive(step),
                input_zero_point=zero_point,
                weight_steps=tuple(positive(float(value)) for value in steps),
                measured="BeforeNormalisation",
            )
        )
    return tuple(found)


def _set_input(layer: Any, kind: str, low: float, high: float) -> None:
    if kind == "LSQplus":
        setattr(layer, _INPUT, LearnedGrid(low, high))
    elif kind == "PACT":
        setattr(layer, _INPUT, LearnedLimit(low, high))
    else:
        slim.begin_at(getattr(layer, _INPUT), max(high, -low))


def _output_axis(layer: Any) -> int:
    """The axis of output channels in a quantised layer's weight."""
    return 0 if isinstance(layer, nn.quant.quant_layers.QuantizedConv2D) else 1


def _quantised(network: Any) -> Iterator[tuple[str, Any]]:
    for path, layer in network.named_sublayers():
        if hasattr(layer, _INPUT) and hasattr(layer, _WEIGHT):
            yield path, layer
