"""One image as an archive in OCI layout, for `ctr --namespace k8s.io images import`."""

import shutil
from pathlib import Path

from cluster.images import build, push, store, tarball

HOST = "compression-operator.local"  # a name that no registry answers to: such an image is only ever imported


def reference(image: build.Built) -> str:
    """The name that the image gets in containerd; it changes with its content."""
    return f"{HOST}/{image.name}:{push.tag(image.digest)}"


def write(image: build.Built, folder: Path, cache: store.Store) -> str:
    """Write `<name>.tar` into a folder; returns the image's name in containerd."""
    folder.mkdir(parents=True, exist_ok=True)
    name = reference(image)
    entry = build.descriptor(image, name)
    # containerd takes the name from its own annotation before the specification's.
    entry["annotations"] = {"io.containerd.image.name": name}
    index = store.canonical({"schemaVersion": 2, "manifests": [entry]})
    entries = [
        tarball.Entry("oci-layout", 0o644, b'{"imageLayoutVersion":"1.0.0"}'),
        tarball.Entry("index.json", 0o644, index),
        *(tarball.Entry(folder, 0o755) for folder in ("blobs", "blobs/sha256")),
        *(
            tarball.Entry(f"blobs/{digest.replace(':', '/')}", 0o644, cache.blob(digest))
            for digest in (image.digest, *image.blobs)
        ),
    ]
    part = folder / f".{image.name}.part"
    with part.open("wb") as out:
        tarball.write(entries, out)
    shutil.move(part, folder / f"{image.name}.tar")
    return name
