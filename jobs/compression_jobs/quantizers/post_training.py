"""Quantisation after training: ranges from calibration data, by PaddleSlim or by ONNX Runtime.

Owns the two engines behind one shape: each writes the deployed file and gives the fake-quantised model's
answers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from compression_contract.inputs import PTQInput
from compression_jobs.artifacts import LocalArtifact
from compression_jobs.candidates import MODEL_FILE, SCALES_FILE
from compression_jobs.errors import InvalidInput
from compression_jobs.exporters.convert import to_int8_onnx
from compression_jobs.exporters.program import run_program, save_program
from compression_jobs.exporters.scales import write_scales
from compression_jobs.models import FLOAT_ONNX_FILE, WEIGHTS_FILE, Architecture, load_network
from compression_jobs.quantizers import ort_static, slim
from compression_jobs.training.data import Data, Part

_CHUNK: Final = 256

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What an engine is given."""

    given: PTQInput
    source: LocalArtifact
    architecture: Architecture
    data: Data
    folder: Path
    """Of the candidate."""
    scratch: Path


@dataclass(frozen=True, slots=True)
class Quantised:
    """What an engine did."""

    layers: int
    reference: NDArray[np.float32]
    """Logits of the fake-quantised model on the test sample, [n, classes]."""
    calibration_samples: int


class Engine(Protocol):
    """A way to quantise after training."""

    files: frozenset[str]
    """What it needs of the float student."""

    def quantise(self, work: Work) -> Quantised:
        """Write MODEL_FILE, and SCALES_FILE where it knows them."""
        ...


def calibration_batches(given: PTQInput, part: Part) -> list[NDArray[np.float32]]:
    """Batches of one length; fewer than were asked for where the data ends before."""
    size = min(given.calibration.batch_size, len(part.samples))
    count = min(given.calibration.batches, len(part.samples) // size)
    if count < given.calibration.batches:
        told = {"wanted": given.calibration.batches, "batches": count, "batchSize": size}
        log.warning("the calibration split is smaller than asked for", extra={"fields": told})
    return [part.split.inputs(part.samples[size * place : size * (place + 1)]) for place in range(count)]


def require_supported(given: PTQInput) -> None:
    """Refuse what no engine here can do, rather than do something else.

    Raises:
        InvalidInput: BitsUnsupported, OutlierUnsupported.
    """
    if given.weight_bits != 8:
        raise InvalidInput(
            "BitsUnsupported",
            f"Weights of {given.weight_bits} bits cannot be deployed here; set bits.weight to 8.",
        )
    if given.outlier != "None":
        raise InvalidInput(
            "OutlierUnsupported",
            f"Outlier treatment {given.outlier} is not in this image; set ptq.outlier to None.",
        )


class PaddleSlimEngine:
    """Ranges by PaddleSlim's observers, on the network with batch normalisation folded in."""

    files = frozenset({WEIGHTS_FILE})

    def quantise(self, work: Work) -> Quantised:
        """See Engine."""
        given, scratch = work.given, work.scratch
        network = load_network(work.source).network
        program, calibrated = scratch / "float", scratch / "calibrated" / "model"
        save_program(network, work.architecture.input_shape, program)
        batches = calibration_batches(given, work.data.calibration)
        per_channel = given.per_channel and given.weight_observer == "AbsMaxChannelWise"
        names = weights_by_layer(network)
        skipped = [names[layer] for layer in skipped_layers(given, names)]
        slim.calibrate(program, calibrated, batches, given.activation_observer, per_channel, skipped)
        layers = slim.calibrated_layers(calibrated, names)
        write_scales(work.folder / SCALES_FILE, layers)
        samples = np.concatenate(batches)
        count = to_int8_onnx(program, work.folder / MODEL_FILE, layers, samples, given.onnx_opset, scratch)
        test = work.data.test
        parts = [test.samples[at : at + _CHUNK] for at in range(0, len(test.samples), _CHUNK)]
        reference = run_program(calibrated, (test.split.inputs(part) for part in parts))
        return Quantised(count, reference, len(samples))


class ONNXRuntimeEngine:
    """ONNX Runtime's own static quantisation of the float ONNX file."""

    files = frozenset({FLOAT_ONNX_FILE})

    def quantise(self, work: Work) -> Quantised:
        """See Engine."""
        given = work.given
        batches = calibration_batches(given, work.data.calibration)
        per_channel = given.per_channel and given.weight_observer == "AbsMaxChannelWise"
        settings = ort_static.Settings(given.activation_observer, per_channel, given.skip_layers)
        source, output = work.source.file(FLOAT_ONNX_FILE), work.folder / MODEL_FILE
        count = ort_static.quantise(source, output, batches, settings, work.scratch)
        test = work.data.test
        parts = [test.samples[at : at + _CHUNK] for at in range(0, len(test.samples), _CHUNK)]
        reference = ort_static.simulate(output, (test.split.inputs(part) for part in parts))
        return Quantised(count, reference, sum(map(len, batches)))


ENGINES: Final[Mapping[str, Engine]] = {"PaddleSlim": PaddleSlimEngine(), "OnnxRuntime": ONNXRuntimeEngine()}


def weights_by_layer(network: Any) -> dict[str, str]:
    """The names of weights in a program of this network, by the path of the layer that has them."""
    return {
        path: layer.weight.name
        for path, layer in network.named_sublayers()
        if getattr(layer, "weight", None) is not None and len(layer.weight.shape) > 1
    }


def skipped_layers(given: PTQInput, names: Mapping[str, str]) -> tuple[str, ...]:
    """The layers that stay in floating point.

    Raises:
        InvalidInput: LayerUnknown.
    """
    unknown = sorted(set(given.skip_layers) - set(names))
    if unknown:
        raise InvalidInput(
            "LayerUnknown",
            f"The student has no layer {unknown[0]!r} to skip; its layers are {', '.join(names)}.",
        )
    return given.skip_layers
