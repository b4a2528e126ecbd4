"""Tiny real releases: an INT8 network, its golden pairs and its description on the real serving base.

Owns the making of such an image in a registry and of the ModelVersion that records it. What is wrong with a
bad release is said by a Flaw; its files and digests are in order unless the flaw says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_contract.base import canonical_json, digest_of
from compression_contract.keys import API_VERSION
from compression_contract.served_model import (
    DESCRIPTION_FILE,
    GOLDEN_FILE,
    MODEL_FILE,
    MODEL_FOLDER,
    ServedModel,
    TensorSpec,
)
from compression_jobs import arrays
from compression_jobs.registry import (
    Bytes,
    DockerConfig,
    File,
    ImageReference,
    Layer,
    LayerFile,
    Registry,
    Remote,
    Repository,
    append_layers,
    build_layer,
)
from compression_jobs.registry.layers import BaseImage, NewImage
from support import tiny

SAMPLES = 12
FORMAT = "ONNXQDQ"
_FAULTS_FOLDER = PurePosixPath("/faults")
_FAULTS = Path(__file__).parent / "faults" / "sitecustomize.py"
_LARGEST_CONFIG = 4 << 20


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a release.

    Args:
        fault: a fault of support/faults, shown while serving.
        variables: more about the fault.
        golden_of: the golden answers are those of another network: the server refuses to start.
        unpushed: the image is not in the registry.
    """

    fault: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    golden_of: tuple[int, ...] = ()
    unpushed: bool = False


GOOD = Flaw()


@dataclass(frozen=True)
class Place:
    """Where images go: the repository, the serving base in the same registry, and what opens them."""

    repository: Repository
    base: ImageReference
    account: DockerConfig
    ca_bundle: str
    folder: Path


@dataclass(frozen=True)
class Release:
    """A release that can be promoted; `name` is its ModelVersion's."""

    name: str
    repository: str
    digest: str
    described: ServedModel
    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]

    @property
    def image(self) -> str:
        """The image by digest, as a container names it."""
        return f"{self.repository}@{self.digest}"

    def model_version(self, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """The ModelVersion, as somebody with the verb import brings it in."""
        metadata = {"name": self.name, "namespace": namespace, "labels": dict(labels)}
        spec = {
            "model": self.described.name,
            "version": self.described.version,
            "image": {"repository": self.repository, "manifestDigest": self.digest},
            "artifact": {
                "manifestDigest": self.described.artifact_digest,
                "format": FORMAT,
                "modelDigest": self.described.model_digest,
                "goldenDigest": self.described.golden_digest,
            },
            "evaluation": {
                "target": "ort",
                "runtime": "onnxruntime",
                "samples": SAMPLES,
                "metrics": [{"name": "top1", "value": "1.0"}],
            },
            "scan": {"counts": {}, "scannedAt": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"},
            "source": {"kind": "Imported"},
        }
        return {"apiVersion": API_VERSION, "kind": "ModelVersion", "metadata": metadata, "spec": spec}


def build_release(
    place: Place, model: str, version: str, answers: Sequence[int], flaw: Flaw = GOOD
) -> Release:
    """Make a release and push it.

    Args:
        place: where to.
        model: the model's name.
        version: its semantic version.
        answers: what the network says to each class; it tells releases apart.
        flaw: what is wrong with it.
    """
    name = f"{model}-{version.replace('.', '-')}"
    folder = place.folder / name
    folder.mkdir(parents=True)
    network = _network(folder / MODEL_FILE, answers)
    golden = _network(folder / "other.onnx", flaw.golden_of) if flaw.golden_of else network
    pixels = tiny.images(np.arange(SAMPLES) % tiny.CLASSES)
    inputs, outputs = tiny.normalised(pixels), tiny.logits(golden, pixels)
    arrays.save(folder / "golden.npz", {"inputs": inputs, "outputs": outputs})
    described = _describe(model, version, network, folder / "golden.npz")
    image = _push(place, _layers(folder, described, flaw), flaw)
    return Release(name, str(place.repository), image.manifest.digest, described, inputs, outputs)


def _network(path: Path, answers: Sequence[int]) -> Path:
    return tiny.int8_model(path, tiny.float_model(path.with_suffix(".float.onnx"), answers))


def _describe(model: str, version: str, network: Path, golden: Path) -> ServedModel:
    raw = network.read_bytes()
    return ServedModel(
        name=model,
        version=version,
        artifact_digest=digest_of(b"artifact of " + raw),
        model_digest=digest_of(raw),
        golden_digest=digest_of(golden.read_bytes()),
        format=FORMAT,
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(-1, *tiny.SHAPE)),),
        outputs=(TensorSpec(name="logits", datatype="FP32", shape=(-1, tiny.CLASSES)),),
    )


def _layers(folder: Path, described: ServedModel, flaw: Flaw) -> list[Layer]:
    """The two layers of packaging; a fault lies in one of its own."""
    root = PurePosixPath(MODEL_FOLDER)
    contents = {
        "model": [
            LayerFile(root / MODEL_FILE, folder / MODEL_FILE),
            LayerFile(root / DESCRIPTION_FILE, canonical_json(described.wire())),
        ],
        "golden": [LayerFile(root / GOLDEN_FILE, folder / "golden.npz")],
    }
    if flaw.fault:
        contents["fault"] = [LayerFile(_FAULTS_FOLDER / _FAULTS.name, _FAULTS)]
    return [build_layer(files, folder / f"{name}.tar.gz") for name, files in contents.items()]


def _push(place: Place, layers: Sequence[Layer], flaw: Flaw) -> NewImage:
    base_name, name = place.base.repository.name, place.repository.name
    with Registry.connect(place.repository, place.account, ca_bundle=place.ca_bundle) as registry:
        manifest = registry.image_manifest(base_name, place.base.digest)
        config = registry.blob(base_name, manifest.config.digest, _LARGEST_CONFIG)
        base = BaseImage.read(str(place.base.repository), manifest, config)
        image = append_layers(base, layers, {}, _environment(base, flaw))
        if flaw.unpushed:
            return image
        own = {layer.digest: File(layer.file) for layer in layers}
        for layer in {each.digest: each for each in image.manifest.layers}.values():
            source = own.get(layer.digest) or Remote(registry, base_name, layer.digest)
            registry.ensure_blob(name, layer, source, "" if layer.digest in own else base_name)
        registry.ensure_blob(name, image.manifest.config, Bytes(image.config))
        registry.put_manifest(name, image.manifest)
    return image


def _environment(base: BaseImage, flaw: Flaw) -> dict[str, str]:
    if not flaw.fault:
        return {}
    variables = dict(entry.partition("=")[::2] for entry in base.config["config"].get("Env") or ())
    path = [str(_FAULTS_FOLDER), *filter(None, [variables.get("PYTHONPATH", "")])]
    return {"PYTHONPATH": ":".join(path), "SERVING_FAULT": flaw.fault, **flaw.variables}
