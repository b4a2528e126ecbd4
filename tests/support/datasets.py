"""Small datasets in every format that a reader knows, and the archives that none should accept."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compression_contract.artifacts import ArtifactKind
from compression_jobs import artifacts
from compression_jobs.artifacts import LocalArtifact, Output
from compression_jobs.readers import MAX_BAD_RECORDS, OpenDataset, Split, open_reader
from compression_jobs.readers.packing import pack


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels [height, width] or [height, width, 3] as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def grey(value: int = 128, height: int = 8, width: int = 8) -> bytes:
    return png(np.full((height, width), value, np.uint8))


def archive(path: Path, members: Iterable[tuple[tarfile.TarInfo | str, bytes]]) -> None:
    """An archive of any members, honest or not."""
    with tarfile.open(path, "w") as tar:
        for member, data in members:
            entry = tarfile.TarInfo(member) if isinstance(member, str) else member
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def opened(
    folder: Path, reader: str, facts: Mapping[str, Any], limit: float = MAX_BAD_RECORDS
) -> OpenDataset:
    """What lies in a folder, as a fetched dataset."""
    manifest = artifacts.describe(Output(folder, ArtifactKind.DATASET, {"reader": reader, **facts}))
    return open_reader(reader, LocalArtifact(manifest, manifest.digest, folder), limit)


GREY = {"inputShape": [1, 8, 8], "numClasses": 3, "mean": [0.5], "std": [0.5]}


def image_tar(folder: Path, members: Iterable[tuple[str, bytes]], records: int, **facts: Any) -> OpenDataset:
    """A dataset of one split, `test`, in the image-tar format."""
    pack(folder, "test", members)
    limit = facts.pop("limit", MAX_BAD_RECORDS)
    return opened(folder, "image-tar", {**GREY, "splits": {"test": records}, **facts}, limit)


def coco(folder: Path, document: Any, images: Mapping[str, bytes], records: int, **facts: Any) -> Split:
    """The split `test` of a dataset in the COCO format."""
    (folder / "test.json").write_text(document if isinstance(document, str) else json.dumps(document))
    pack(folder, "test", images.items())
    described = {**GREY, "numClasses": 2, "targets": "Boxes", "splits": {"test": records}, **facts}
    limit = described.pop("limit", MAX_BAD_RECORDS)
    return opened(folder, "coco", described, limit).split("test")
