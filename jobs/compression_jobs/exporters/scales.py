"""The grids that a quantised network was trained or calibrated on.

Owns their form. They are what quantisation learns: the exporter carries them into the deployed file as they
are, and never estimates one that is here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from compression_contract.base import Frozen

Step = Annotated[float, Field(gt=0)]
"""The distance of two neighbouring values of a grid, in units of the tensor."""


class LayerScales(Frozen):
    """One layer's grids: symmetric, of signed 8-bit numbers from -127 to 127, where nothing else is said."""

    layer: str
    """The layer's path in its network, as in `body.0.0`."""
    weight: str
    """The weight's name in the program, which is also its name in ONNX."""
    input_step: Step
    input_zero_point: Annotated[int, Field(ge=0, le=255)] | None = None
    """The number that stands for zero in an input grid of the numbers 0..255, which is deployed as it is;
    None is the symmetric grid."""
    weight_steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    """One for the whole tensor, or one for each output channel."""
    measured: Literal["BeforeNormalisation", "Deployed"]
    """Whether the weight's steps are of the trained weight, which a batch normalisation is still to be folded
    into, or of the deployed one."""


_LIST = TypeAdapter(tuple[LayerScales, ...])


def positive(step: float) -> float:
    """A step that can be divided by: a tensor that was zero throughout has none of its own."""
    if not math.isfinite(step):
        raise ValueError(f"a grid's step is {step}")
    return max(step, 1e-12)


def write_scales(path: Path, layers: tuple[LayerScales, ...]) -> None:
    """Store scales as JSON."""
    path.write_bytes(_LIST.dump_json(layers, by_alias=True, indent=1))


def read_scales(path: Path) -> tuple[LayerScales, ...]:
    """Read what `write_scales` stored."""
    return _LIST.validate_json(path.read_bytes())
