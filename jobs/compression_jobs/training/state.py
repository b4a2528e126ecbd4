"""What moves while a network trains, taken out of Paddle and put back.

Owns finding all of it: weights, running statistics, the state of fake quantisers, layers of the objective
that are outside the network, the optimiser's moments, the schedule. Random numbers are not among it: each
step draws from its own seed. Must not know where snapshots are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.methods import Optimizer
from compression_jobs.errors import InvalidData
from compression_jobs.framework import nn, paddle
from compression_jobs.training.optimizers import optimizer, schedule

_SCHEDULE: Final = "LR_Scheduler"
_MOMENTS: Final = "optimizer/"
_OWN: Final = "network"
"""The prefix of the network itself; layers of the objective have their own names."""


@dataclass(frozen=True, slots=True)
class Moving:
    """The objects that one training moves."""

    network: nn.Layer
    layers: Mapping[str, nn.Layer]
    """Of the objective, by name: adapters that are trained and never exported."""
    parameters: tuple[Any, ...]
    """All that is trained, in an order that is the same in every process."""
    optimizer: Any
    rate: Any

    @classmethod
    def of(cls, network: nn.Layer, layers: Mapping[str, nn.Layer], settings: Optimizer, steps: int) -> Moving:
        """Network and layers with a fresh optimiser for so many steps."""
        modules = (network, *layers.values())
        trained = {
            id(tensor): tensor
            for module in modules
            for tensor in module.parameters()
            if not tensor.stop_gradient
        }
        parameters, rate = list(trained.values()), schedule(settings.learning_rate, steps)
        mover = optimizer(settings, rate, parameters)
        return cls(network, dict(layers), tuple(parameters), mover, rate)

    def modules(self) -> Iterator[tuple[str, nn.Layer]]:
        """Network and layers of the objective, by a prefix that is theirs alone."""
        yield _OWN, self.network
        for name, layer in self.layers.items():
            yield f"layers.{name}", layer

    def tensors(self) -> dict[str, Any]:
        """Weights, statistics and the state of fake quantisers, by a name that every process gives them."""
        return {
            f"{prefix}/{name}": tensor
            for prefix, module in self.modules()
            for name, tensor in (*module.named_parameters(), *module.named_buffers())
            if tensor is not None and tensor._is_initialized()  # noqa: SLF001 - no public name for it
        }


def capture(moving: Moving) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Copies of all tensors by name, and of all else as what JSON can hold."""
    arrays = {name: np.array(tensor.numpy()) for name, tensor in moving.tensors().items()}
    names, values = _names(moving), {}
    for key, value in moving.optimizer.state_dict().items():
        if hasattr(value, "numpy"):
            arrays[f"{_MOMENTS}{_renamed(key, names)}"] = np.array(value.numpy())
        elif key != _SCHEDULE:
            values[key] = value
    return arrays, {
        "optimizer": values,
        "schedule": moving.rate.state_dict(),
        "attributes": {f"{prefix}/{path}": _plain(layer) for prefix, path, layer in _sublayers(moving)},
    }


def restore(moving: Moving, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
    """Put back what `capture` took, into the same objects or into fresh ones of the same make.

    Raises:
        InvalidData: CheckpointDiffers, before anything is changed.
    """
    tensors = moving.tensors()
    _require_same(tensors, {name: array for name, array in arrays.items() if not name.startswith(_MOMENTS)})
    for name, tensor in tensors.items():
        tensor.set_value(arrays[name])
    names = {stable: own for own, stable in _names(moving).items()}
    state: dict[str, Any] = dict(values["optimizer"])
    for name, array in arrays.items():
        if name.startswith(_MOMENTS):
            state[_original(name.removeprefix(_MOMENTS), names)] = paddle.to_tensor(array)
    if state:
        moving.optimizer.set_state_dict({**state, _SCHEDULE: dict(values["schedule"])})
    moving.rate.set_state_dict(dict(values["schedule"]))
    for prefix, path, layer in _sublayers(moving):
        for name, value in values["attributes"].get(f"{prefix}/{path}", {}).items():
            if name in vars(layer):
                setattr(layer, name, value)


def _sublayers(moving: Moving) -> Iterator[tuple[str, str, nn.Layer]]:
    for prefix, module in moving.modules():
        for path, layer in module.named_sublayers(include_self=True):
            yield prefix, path, layer


def _plain(layer: nn.Layer) -> dict[str, Any]:
    """Counters and switches that a layer keeps as plain attributes, as learned quantisers do."""
    return {
        name: value
        for name, value in vars(layer).items()
        if type(value) in {bool, int} or (type(value) is float and np.isfinite(value))
    }


def _names(moving: Moving) -> dict[str, str]:
    """Paddle's own number of each parameter, which differs between processes, to its path in the network."""
    return {
        tensor.name: f"{prefix}/{path}"
        for prefix, module in moving.modules()
        for path, tensor in module.named_parameters()
    }


def _renamed(key: str, names: Mapping[str, str]) -> str:
    """``conv2d_0.w_0_moment1_0`` to ``network/body.0.weight//moment1_0``."""
    owner = max((name for name in names if key.startswith(f"{name}_")), key=len, default="")
    return f"{names[owner]}//{key[len(owner) + 1 :]}" if owner else key


def _original(key: str, names: Mapping[str, str]) -> str:
    path, separator, moment = key.partition("//")
    return f"{names.get(path, path)}_{moment}" if separator else key


def _require_same(tensors: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    stored = {name: array.shape for name, array in arrays.items()}
    if wanted != stored:
        differing = min(set(wanted.items()) ^ set(stored.items()))[0]
        raise InvalidData(
            "CheckpointDiffers", f"A checkpoint is of another network: {differing} is not the same there."
        )
