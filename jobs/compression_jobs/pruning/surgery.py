"""Making a network narrower, in place.

Owns how parameters get other shapes, and what layers note of them beside. Must not choose what goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_jobs.framework import nn, paddle

Shape = tuple[int, ...]
_CONVOLUTIONS = (nn.Conv2D, nn.Conv2DTranspose)


def replace_parameters(network: Any, values: Mapping[str, NDArray[np.float32]]) -> None:
    """Give parameters and running statistics new values, which may be of other lengths.

    Args:
        network: it is changed.
        values: arrays by name in the network's state.
    """
    state = network.state_dict()
    for name, value in values.items():
        # The parameter stays the same object: an optimizer, or a layer that shares it, sees the new value.
        state[name].get_tensor().set(np.ascontiguousarray(value, np.float32), paddle.CPUPlace())
    for layer in network.sublayers(include_self=True):
        _note_widths(layer)


def resize(network: Any, shapes: Mapping[str, Shape]) -> None:
    """Give parameters other shapes, filled with their first entries: weights are loaded afterwards."""
    state = network.state_dict()
    values = {}
    for name, shape in shapes.items():
        values[name] = state[name].numpy()[tuple(slice(length) for length in shape)]
    replace_parameters(network, values)


def _note_widths(layer: Any) -> None:
    """Some layers keep their widths as numbers too, of which they compute with one: a count of groups."""
    # Paddle has no public names for them.
    if isinstance(layer, _CONVOLUTIONS):
        shape = layer.weight.shape
        transposed = isinstance(layer, nn.Conv2DTranspose)
        if not transposed and layer._groups > 1 and shape[1] == 1:  # noqa: SLF001
            layer._groups = shape[0]  # noqa: SLF001
        first, second = shape[0], shape[1] * layer._groups  # noqa: SLF001
        layer._in_channels, layer._out_channels = (  # noqa: SLF001
            (first, second) if transposed else (second, first)
        )
    elif isinstance(layer, nn.BatchNorm2D):
        layer._num_features = layer.weight.shape[0]  # noqa: SLF001
