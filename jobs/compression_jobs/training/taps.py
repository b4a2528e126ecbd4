"""What flows through a network while it trains: its input, and the outputs of some inner layers.

Owns the hooks. Must not know what is done with what they see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidInput
from compression_jobs.framework import paddle
from compression_jobs.training.inner_tensors import unknown_layer

Shape = tuple[int, ...]


class Taps:
    """The newest input, and the newest outputs of layers by their paths; empty outside of `attached`."""

    def __init__(self, layers: Collection[str] = ()) -> None:
        self._layers = tuple(dict.fromkeys(layers))
        self.input: Any = None
        self.features: dict[str, Any] = {}

    @contextmanager
    def attached(self, network: Any) -> Iterator[None]:
        """See what flows while the block runs.

        Raises:
            InvalidInput: LayerUnknown.
        """
        layers = dict(network.named_sublayers())
        for path in self._layers:
            if path not in layers:
                raise unknown_layer(path, layers, "The student")
        hooks = [network.register_forward_pre_hook(self._see_input)]
        hooks += [layers[path].register_forward_post_hook(self._see(path)) for path in self._layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self.input = None
            self.features = {}

    def _see_input(self, _layer: Any, inputs: tuple[Any, ...]) -> None:
        self.input = inputs[0]

    def _see(self, path: str) -> Any:
        def hook(_layer: Any, _inputs: Any, output: Any) -> None:
            self.features[path] = output

        return hook


def shapes(network: Any, sample: NDArray[Any], layers: Collection[str]) -> tuple[Shape, dict[str, Shape]]:
    """The shapes of a network's output and of layers' outputs for one sample; the network stays as it is.

    Args:
        network: a Paddle layer.
        sample: one, with a batch axis in front.
        layers: paths.

    Raises:
        InvalidInput: LayerUnknown; LayerHasNoFeature, a layer gives something else than one array.
    """
    taps = Taps(layers)
    training = network.training
    network.eval()
    with taps.attached(network), paddle.no_grad():
        output = network(paddle.to_tensor(sample))
        found = {path: _shape(path, taps.features.get(path)) for path in layers}
    if training:
        network.train()
    return tuple(np.shape(output)[1:]), found


def _shape(path: str, feature: Any) -> Shape:
    if not isinstance(feature, paddle.Tensor) or len(feature.shape) not in {2, 3, 4}:
        raise InvalidInput(
            "LayerHasNoFeature",
            f"The student's layer {path!r} does not give maps, sequences or vectors; "
            "name one around or behind it in distill.features.",
        )
    return tuple(feature.shape[1:])
