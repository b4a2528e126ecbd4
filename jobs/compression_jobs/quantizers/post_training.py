"""Quantisation after training: ranges from calibration data, by PaddleSlim or by ONNX Runtime.

Owns the two engines behind one shape: each writes the deployed file and can tell the fake-quantised model's
answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_contract.inputs import PTQInput
from compression_jobs import candidates
from compression_jobs.candidates import MODEL_FILE, SCALES_FILE
from compression_jobs.errors import InvalidInput
from compression_jobs.exporters.convert import to_float_onnx, to_int8_onnx
from compression_jobs.exporters.program import run_program, save_program
from compression_jobs.exporters.scales import LayerScales, write_scales
from compression_jobs.models import FLOAT_ONNX_FILE, Architecture
from compression_jobs.quantizers import ort_static, slim
from compression_jobs.quantizers.calibration import MAX_EDGE_SAMPLES, Batches
from compression_jobs.quantizers.ranges import layers_of
from compression_jobs.training.data import Part

_CHUNK: Final = 64


@dataclass(frozen=True, slots=True)
class Work:
    """What an engine is given."""

    given: PTQInput
    network: Any
    """The float student, its outliers treated."""
    architecture: Architecture
    batches: Batches
    folder: Path
    """Of the candidate."""
    scratch: Path

    @property
    def program(self) -> Path:
        """The prefix of the float program, which the engine writes."""
        return self.scratch / "float"

    @property
    def float_model(self) -> Path:
        """The float ONNX file that was quantised, once the engine is done."""
        return self.scratch / FLOAT_ONNX_FILE


@dataclass(frozen=True, slots=True)
class Quantised:
    """What an engine did."""

    layers: int
    grids: tuple[LayerScales, ...]
    answer: Callable[[Part], NDArray[np.float32]]
    """The fake-quantised model's outputs."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """For the manifest."""


class Engine(Protocol):
    """A way to quantise after training."""

    formats: frozenset[str]
    """The files that it can make."""

    def require(self, given: PTQInput) -> None:
        """Refuse what it cannot do.

        Raises:
            InvalidInput: ObserverUnsupported.
        """
        ...

    def quantise(self, work: Work) -> Quantised:
        """Write MODEL_FILE and SCALES_FILE."""
        ...


class PaddleSlimEngine:
    """Ranges by PaddleSlim's observers, on the network with batch normalisation folded in."""

    formats = candidates.ONNX_FORMATS | {candidates.PROGRAM_FORMAT}

    def require(self, given: PTQInput) -> None:
        """See Engine; it has every observer."""

    def quantise(self, work: Work) -> Quantised:
        """See Engine."""
        given, names = work.given, weights_by_layer(work.network)
        calibrated = work.scratch / "calibrated" / "model"
        _save(work)
        skipped = [names[layer] for layer in given.skip_layers]
        settings = slim.Settings(given.activation_observer, per_channel(given), tuple(skipped))
        slim.calibrate(work.program, calibrated, work.batches, settings)
        grids = slim.calibrated_layers(calibrated, names)
        write_scales(work.folder / SCALES_FILE, grids)
        samples = work.batches.first(MAX_EDGE_SAMPLES)
        output = work.folder / MODEL_FILE
        report = to_int8_onnx(work.program, output, grids, samples, given.onnx_opset, work.scratch)
        if candidates.PROGRAM_FORMAT in given.formats:
            candidates.keep_program(work.folder, calibrated)
        told = candidates.of_report(report)
        return Quantised(report.layers, grids, lambda part: run_program(calibrated, _chunks(part)), told)


class ONNXRuntimeEngine:
    """ONNX Runtime's own static quantisation of the float ONNX file."""

    formats = candidates.ONNX_FORMATS

    def require(self, given: PTQInput) -> None:
        """See Engine."""
        ort_static.require_observer(given.activation_observer)

    def quantise(self, work: Work) -> Quantised:
        """See Engine."""
        given, names = work.given, weights_by_layer(work.network)
        _save(work)
        to_float_onnx(work.program, work.float_model, given.onnx_opset, work.scratch)
        skipped = tuple(names[layer] for layer in given.skip_layers)
        settings = ort_static.Settings(given.activation_observer, per_channel(given), skipped)
        output = work.folder / MODEL_FILE
        count = ort_static.quantise(work.float_model, output, work.batches, settings, work.scratch)
        grids = ort_static.layers_of(work.float_model, output, names)
        write_scales(work.folder / SCALES_FILE, grids)
        return Quantised(count, grids, lambda part: ort_static.simulate(output, _chunks(part)))


ENGINES: Final[Mapping[str, Engine]] = {"PaddleSlim": PaddleSlimEngine(), "OnnxRuntime": ONNXRuntimeEngine()}


def require_supported(given: PTQInput) -> None:
    """Refuse what no engine here can do, rather than do something else.

    Raises:
        InvalidInput: BitsUnsupported, and what the engine refuses.
    """
    if given.weight_bits != 8:
        raise InvalidInput(
            "BitsUnsupported",
            f"Weights of {given.weight_bits} bits cannot be deployed here; set bits.weight to 8.",
        )
    ENGINES[given.engine].require(given)


def per_channel(given: PTQInput) -> bool:
    """Whether each output channel of a weight has its own step."""
    return given.per_channel and given.weight_observer == "AbsMaxChannelWise"


def weights_by_layer(network: Any) -> dict[str, str]:
    """The names of weights in a program of this network, by the path of the layer that has them."""
    return {path: layer.weight.name for path, layer in layers_of(network).items()}


def require_layers(wanted: tuple[str, ...], names: Mapping[str, str]) -> None:
    """Refuse to skip a layer that the network does not have, or to skip them all.

    Raises:
        InvalidInput: LayerUnknown, NothingToQuantise.
    """
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise InvalidInput(
            "LayerUnknown",
            f"The student has no layer {unknown[0]!r} to skip; its layers are {', '.join(names)}.",
        )
    if set(wanted) >= set(names):
        raise InvalidInput(
            "NothingToQuantise",
            "ptq.skipLayers names every layer that could be quantised; shorten it, or leave the step out.",
        )


def _save(work: Work) -> None:
    shape = work.architecture
    save_program(work.network, shape.input_shape, work.program, shape.input_type)


def _chunks(part: Part) -> Iterator[NDArray[Any]]:
    for start in range(0, len(part.samples), _CHUNK):
        yield part.split.inputs(part.samples[start : start + _CHUNK])
