"""Builds images: layers in parallel, then a configuration and a manifest for each image.

An image's digest is decided by its content alone; nothing in it says when or where it was made.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import paths, progress
from cluster.errors import ClusterError
from cluster.images import base, recipes, store

MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_MEDIA_TYPE = "application/vnd.oci.image.config.v1+json"
_REF_NAME = "org.opencontainers.image.ref.name"
_EPOCH = "1970-01-01T00:00:00Z"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Built:
    """An image in the store: the digest and bytes of its manifest, and the layers it refers to."""

    name: str
    digest: str
    manifest: bytes
    config_digest: str
    config_size: int
    layers: tuple[store.Layer, ...]

    @property
    def blobs(self) -> Mapping[str, int]:
        """Size by digest of all that must be in a registry before the manifest."""
        return {self.config_digest: self.config_size, **{layer.digest: layer.size for layer in self.layers}}


class Builder:
    """Some images on their way: first `steps` are run, then `image` gives each."""

    def __init__(self, names: Sequence[str] = recipes.USUAL, cache: store.Store | None = None) -> None:
        """Plan to build images by name; raises ClusterError for an unknown one."""
        if unknown := set(names) - set(recipes.IMAGES):
            known = ", ".join(recipes.IMAGES)
            raise ClusterError(f"no image is called {', '.join(sorted(unknown))}; there are {known}")
        self.names = tuple(names)
        self.cache = cache or store.default()
        self._layers: dict[str, store.Layer] = {}
        self._records: Path | None = None

    def steps(self) -> list[progress.Step]:
        """Steps that make every layer of the images; none waits for another."""
        wanted = {layer for name in self.names for layer in recipes.IMAGES[name].layers}
        makers = [self._maker(name) for name in recipes.LAYERS if name in wanted]
        return [progress.Step(step_name(recipes.SYSTEM), self._make_base), *makers]

    def image(self, name: str) -> Built:
        """One image, when the steps of its layers are done; it is noted in the store's index."""
        built = _assemble(name, recipes.IMAGES[name], self.cache, self._layers)
        _index(self.cache, built)
        return built

    def images(self) -> dict[str, Built]:
        """All of them by name."""
        return {name: self.image(name) for name in self.names}

    @property
    def records(self) -> Path:
        """What tells of the Debian packages in the images (base.Base.records), when the base is made."""
        assert self._records is not None, "the step of the base comes first"
        return self._records

    def _make_base(self, report: progress.Report) -> str:
        report("Debian packages")
        made, fresh = base.make(self.cache)
        self._layers.update({recipes.SYSTEM: made.system, recipes.GIT: made.git})
        self._records = made.records
        return _remark(made.system, fresh)

    def _maker(self, name: str) -> progress.Step:
        def make(report: progress.Report) -> str:
            report("packing")
            self._layers[name], fresh = recipes.LAYERS[name](self.cache)
            return _remark(self._layers[name], fresh)

        return progress.Step(step_name(name), make)


def build(names: Sequence[str] = recipes.USUAL, cache: store.Store | None = None) -> dict[str, Built]:
    """Build images by name, showing progress; raises ClusterError, and whatever stops a layer."""
    builder = Builder(names, cache)
    progress.show(builder.steps())
    return builder.images()


def step_name(layer: str) -> str:
    """The name of the step that makes a layer."""
    return f"layer: {recipes.SYSTEM if layer == recipes.GIT else layer}"


def layer_steps(image: str) -> tuple[str, ...]:
    """The names of the steps that must be done before an image can be had."""
    return tuple(dict.fromkeys(step_name(layer) for layer in recipes.IMAGES[image].layers))


def _assemble(
    name: str, image: recipes.Image, cache: store.Store, layers: Mapping[str, store.Layer]
) -> Built:
    stack = tuple(layers[layer] for layer in image.layers)
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": _EPOCH,
        "config": {
            "User": f"{recipes.USER}:{recipes.USER}",
            "Env": [f"{key}={value}" for key, value in sorted(image.environment.items())],
            "Entrypoint": list(image.entrypoint),
            "WorkingDir": "/",
            "Labels": {"org.opencontainers.image.title": f"compression-operator/{name}"},
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in stack]},
        "history": [{"created": _EPOCH, "created_by": f"cluster.images: {layer}"} for layer in image.layers],
    }
    config_digest, config_data = cache.add_json(config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "config": {"mediaType": CONFIG_MEDIA_TYPE, "digest": config_digest, "size": len(config_data)},
        "layers": [
            {"mediaType": store.LAYER_MEDIA_TYPE, "digest": layer.digest, "size": layer.size}
            for layer in stack
        ],
    }
    digest, data = cache.add_json(manifest)
    return Built(name, digest, data, config_digest, len(config_data), stack)


def _index(cache: store.Store, image: Built) -> None:
    """Put an image into the layout's index under its name, in place of what had that name."""
    path = cache.root / "index.json"
    with paths.lock(path.with_suffix(".lock")):
        known = json.loads(path.read_text())["manifests"] if path.exists() else []
        others = [entry for entry in known if entry["annotations"][_REF_NAME] != image.name]
        entries = sorted(
            [*others, descriptor(image, image.name)], key=lambda entry: str(entry["annotations"][_REF_NAME])
        )
        paths.write(path, store.canonical({"schemaVersion": 2, "manifests": entries}).decode())
        paths.write(cache.root / "oci-layout", '{"imageLayoutVersion":"1.0.0"}')


def descriptor(image: Built, reference: str) -> dict[str, object]:
    """An index's entry for an image under a reference."""
    return {
        "mediaType": MANIFEST_MEDIA_TYPE,
        "digest": image.digest,
        "size": len(image.manifest),
        "annotations": {_REF_NAME: reference},
    }


def _remark(layer: store.Layer, fresh: bool) -> str:
    return f"{layer.size / 1e6:.1f} MB{'' if fresh else ', cached'}"
