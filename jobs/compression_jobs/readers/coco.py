"""Images with boxes: `<split>.json` as COCO has it, images in tar shards.

Owns that format (https://cocodataset.org/#format-data). Categories become classes 0, 1, … in the order of
their ids. Regions of crowds are not read.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.readers import lists, pictures
from compression_jobs.readers.base import DatasetFacts, Split, SplitFiles
from compression_jobs.readers.problems import Unusable
from compression_jobs.readers.records import RecordSplit, Scale, entry
from compression_jobs.readers.shards import Shards
from compression_jobs.readers.truth import Boxes

Row = tuple[float, float, float, float, int]
Size = tuple[int, int]
"""Width and height."""


class COCOReader:
    """See the module."""

    def files(self, split: str) -> SplitFiles:
        """See Reader.files."""
        return SplitFiles((f"{split}.json",), (split,))

    def read(self, folder: Path, facts: DatasetFacts, split: str) -> Split:
        """See Reader.read."""
        path = folder / f"{split}.json"
        found = lists.document(path)
        images, annotations = (_objects(path, found, key) for key in ("images", "annotations"))
        classes = _classes(path, _objects(path, found, "categories"), facts)
        lists.require_count(path, len(images), facts, split)
        channels, height, width = pictures.require_image(facts)
        sizes: dict[str, Size] = {}
        boxes = _by_image(annotations)

        def truth(image: dict[str, Any]) -> NDArray[np.float32]:
            name, size = _name(image), _size(image)
            if sizes.setdefault(name, size) != size:
                raise Unusable("it is listed twice, in different sizes")
            found = [_row(row, size, classes) for row in boxes[_key(image.get("id"))]]
            scale = (width / size[0], height / size[1]) * 2
            return np.asarray(found, np.float32).reshape(-1, 5) * np.asarray((*scale, 1), np.float32)

        entries = [entry(_name(image), partial(truth, image)) for image in images]
        shards = Shards.open(folder, split)

        def decode(name: str) -> NDArray[np.uint8]:
            picture = pictures.decoded(shards.member(name), channels, name)
            if picture.size != sizes[name]:
                raise Unusable(f"it has {picture.size} pixels, its entry says {sizes[name]}")
            return pictures.stretched(picture, height, width)

        return RecordSplit(entries, decode, Boxes.of, Scale.of(facts, 255))


def _by_image(annotations: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        if not annotation.get("iscrowd"):
            rows[_key(annotation.get("image_id"))].append(annotation)
    return rows


def _name(image: Mapping[str, Any]) -> str:
    return str(image.get("file_name", ""))


def _objects(path: Path, found: Any, key: str) -> list[dict[str, Any]]:
    rows = found.get(key) if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidData("DatasetInvalid", f"{path.name} of the dataset has no list of objects {key!r}.")
    return rows


def _classes(path: Path, categories: list[dict[str, Any]], facts: DatasetFacts) -> Mapping[int, int]:
    """Category ids to classes.

    Raises:
        InvalidData: DatasetInvalid, they are not the classes of the manifest.
    """
    numbers = [row.get("id") for row in categories]
    if not all(isinstance(number, int) for number in numbers) or len(set(numbers)) != facts.num_classes:
        raise InvalidData(
            "DatasetInvalid",
            f"{path.name} of the dataset has {len(set(map(str, numbers)))} categories, its manifest "
            f"{facts.num_classes} classes.",
        )
    ordered = sorted(categories, key=lambda row: int(row["id"]))
    names = tuple(str(row.get("name", "")) for row in ordered)
    if facts.classes and names != facts.classes:
        raise InvalidData(
            "DatasetInvalid",
            f"{path.name} of the dataset names other categories than its manifest: {names[:5]}.",
        )
    return {int(row["id"]): number for number, row in enumerate(ordered)}


def _key(value: Any) -> str:
    return f"{type(value).__name__}:{value}"


def _size(image: Mapping[str, Any]) -> Size:
    width, height = image.get("width"), image.get("height")
    if not isinstance(width, int) or not isinstance(height, int) or min(width, height) < 1:
        raise Unusable("its entry has no width and height")
    return width, height


def _row(annotation: Mapping[str, Any], size: Size, classes: Mapping[int, int]) -> Row:
    """A box in pixels of the image, cut at its edges, and its class.

    Raises:
        Unusable: it is no box within the image, or of no known category.
    """
    box, category = annotation.get("bbox"), annotation.get("category_id")
    if not isinstance(category, int) or category not in classes:
        raise Unusable(f"a box is of the unknown category {str(category)[:40]}")
    if not isinstance(box, list) or len(box) != 4 or not all(_finite(value) for value in box):
        raise Unusable("a box is not four finite numbers")
    left, top = max(0.0, box[0]), max(0.0, box[1])
    right, bottom = min(float(size[0]), box[0] + box[2]), min(float(size[1]), box[1] + box[3])
    if right <= left or bottom <= top:
        raise Unusable("a box has no area within the image")
    return left, top, right, bottom, classes[category]


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
