"""Builds images: layers in parallel, then a configuration and a manifest for each image.

An image's digest is decided by its content alone; nothing in it says when or where it was made.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


def build(names: Sequence[str] = tuple(recipes.IMAGES), cache: store.Store | None = None) -> dict[str, Built]:
    """Build images by name and record them in the store's index; shows progress.

    Raises ClusterError for an unknown name, and whatever stops a layer.
    """
    cache = cache or store.default()
    layers: dict[str, store.Layer] = {}
    progress.show(layer_steps(names, cache, layers))
    return assemble(names, cache, layers)


def layer_steps(
    names: Sequence[str], cache: store.Store, layers: dict[str, store.Layer]
) -> list[progress.Step]:
    """Steps that make every layer of the named images and put it into `layers` by its name."""
    if unknown := set(names) - set(recipes.IMAGES):
        raise ClusterError(
            f"no image is called {', '.join(sorted(unknown))}; there are {', '.join(recipes.IMAGES)}"
        )
    wanted = {layer for name in names for layer in recipes.IMAGES[name].layers}

    def make_base(report: progress.Report) -> str:
        report("Debian packages")
        made, fresh = base.make(cache)
        layers.update({recipes.SYSTEM: made.system, recipes.GIT: made.git})
        return _remark(made.system, fresh)

    def maker(name: str) -> progress.Step:
        def make(report: progress.Report) -> str:
            report("packing")
            layers[name], fresh = recipes.LAYERS[name](cache)
            return _remark(layers[name], fresh)

        return progress.Step(f"layer: {name}", make)

    return [
        progress.Step("layer: system", make_base),
        *(maker(name) for name in recipes.LAYERS if name in wanted),
    ]


def assemble(names: Sequence[str], cache: store.Store, layers: Mapping[str, store.Layer]) -> dict[str, Built]:
    """Write the configuration and the manifest of each image, and the store's index."""
    built = {name: _assemble(name, recipes.IMAGES[name], cache, layers) for name in names}
    _index(cache, list(built.values()))
    return built


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


def _index(cache: store.Store, built: Sequence[Built]) -> None:
    """Add images to the layout's index under their names, in place of what had those names."""
    path = cache.root / "index.json"
    with paths.lock(path.with_suffix(".lock")):
        known = json.loads(path.read_text())["manifests"] if path.exists() else []
        by_name = {entry["annotations"][_REF_NAME]: entry for entry in known}
        by_name |= {image.name: descriptor(image, image.name) for image in built}
        index = {"schemaVersion": 2, "manifests": [by_name[name] for name in sorted(by_name)]}
        paths.write(path, store.canonical(index).decode())
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
