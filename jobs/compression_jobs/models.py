"""Networks as artifacts: what a FloatStudent or a Teacher holds.

Owns the files `weights.npz` (no pickle) and the facts by which a network is built again. Must not train.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import Field, ValidationError

from compression_contract.base import Frozen
from compression_contract.methods import Count
from compression_jobs import arrays, networks
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.errors import InvalidData, first_problem
from compression_jobs.pruning.surgery import resize

WEIGHTS_FILE: Final = "weights.npz"
FLOAT_ONNX_FILE: Final = "float.onnx"
HISTORY_FILE: Final = "history.json"
MAX_WEIGHT_BYTES: Final = 8 << 30
MAX_WIDTHS: Final = 8192


class Architecture(Frozen):
    """What a network is, without its weights."""

    arch: str
    input_shape: tuple[Count, ...]
    """One sample, channels first."""
    num_classes: Count
    input_type: Literal["float32", "int64"] = "float32"
    """Numbers, or token ids."""
    widths: Annotated[dict[str, tuple[Count, ...]], Field(max_length=MAX_WIDTHS)] = {}
    """Of a pruned network: the shapes of the parameters that were cut, by name; others are as `arch` says."""


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """A network with its weights, and what it is."""

    network: Any
    architecture: Architecture


def save_weights(network: Any, path: Path) -> None:
    """Write all weights and running statistics by name; equal weights give equal bytes."""
    arrays.save(path, {name: tensor.numpy() for name, tensor in network.state_dict().items()})


def load_network(artifact: LocalArtifact) -> LoadedNetwork:
    """The network that an artifact of ours describes.

    Raises:
        InvalidData: NetworkInvalid, ArraysInvalid, WeightsDiffer.
        Misconfigured: ArchitectureUnknown.
    """
    architecture = architecture_of(artifact.manifest.facts, artifact.digest)
    network = build(architecture)
    load_weights(network, artifact.file(WEIGHTS_FILE))
    return LoadedNetwork(network, architecture)


def build(architecture: Architecture) -> Any:
    """A network with fresh weights, as narrow as pruning left it.

    Raises:
        Misconfigured: ArchitectureUnknown.
        InvalidData: NetworkInvalid.
    """
    network = networks.build(architecture.arch, architecture.input_shape, architecture.num_classes)
    full = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for name, shape in architecture.widths.items():
        whole = full.get(name, ())
        if len(shape) != len(whole) or any(cut > length for cut, length in zip(shape, whole, strict=True)):
            raise InvalidData(
                "NetworkInvalid",
                f"{architecture.arch} has no parameter {name} that {list(shape)} could be cut from "
                f"(it has {list(whole) or 'none'}); prune again.",
            )
    if architecture.widths:
        resize(network, architecture.widths)
    return network


def load_weights(network: Any, path: Path) -> None:
    """Fill a network.

    Raises:
        InvalidData: ArraysInvalid, WeightsDiffer.
    """
    wanted = network.state_dict()
    stored = arrays.load(path, tuple(wanted), MAX_WEIGHT_BYTES)
    for name, tensor in wanted.items():
        if stored[name].shape != tuple(tensor.shape) or stored[name].dtype != np.float32:
            raise InvalidData(
                "WeightsDiffer",
                f"{path.name}: {name} is {stored[name].dtype} {stored[name].shape}, the network has float32 "
                f"{tuple(tensor.shape)}; the artifact is of another architecture.",
            )
        if not np.isfinite(stored[name]).all():
            raise InvalidData("WeightsDiffer", f"{path.name}: {name} holds NaN or infinity; train again.")
    network.set_state_dict(stored)


def architecture_of(facts: Mapping[str, Any], digest: str) -> Architecture:
    """The architecture that an artifact's facts name.

    Raises:
        InvalidData: NetworkInvalid.
    """
    names = ("arch", "inputShape", "numClasses", "inputType", "widths")
    try:
        return Architecture.model_validate({name: facts[name] for name in names if name in facts})
    except ValidationError as error:
        raise InvalidData(
            "NetworkInvalid",
            f"The manifest of {digest} does not describe a network ({first_problem(error)}); make it again.",
        ) from error
