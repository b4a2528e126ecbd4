"""Circuit boards with defects, drawn: a dataset of boxes in the COCO format.

Owns the drawing. The six defects are those of the PKU dataset of bare boards (Huang & Wei 2019); each is of
the size of a trace's width, so that a detector has to look closely.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.inputs import PrepareDataInput
from compression_jobs.readers import DatasetFacts
from compression_jobs.readers.packing import pack
from compression_jobs.sources.layout import DIGITS, Moments, png, stream

if TYPE_CHECKING:
    from PIL import ImageDraw

SIZE: Final = 64
"""Pixels of a side."""
DEFECTS: Final = ("missing_hole", "mouse_bite", "open_circuit", "short", "spur", "spurious_copper")
TRAIN_SAMPLES: Final = 1200
TEST_SAMPLES: Final = 400
_FINE: Final = 3
"""Drawn so much larger and brought down again, for smooth edges."""
_TRACKS: Final = 4
_PITCH: Final = SIZE / _TRACKS
_WIDTH: Final = 4.0
"""Of a trace."""
_PAD: Final = 5.0
_HOLE: Final = 2.0
_MAX_DEFECTS: Final = 3
_APART: Final = (12.0, 7.0)
"""Least distance of pads and defects from each other, along one trace and along two neighbours."""

log = logging.getLogger(__name__)
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def write(given: PrepareDataInput, folder: Path) -> DatasetFacts:
    """Write both splits, and return the facts of the manifest."""
    counts = {"train": given.train_samples or TRAIN_SAMPLES, "test": given.test_samples or TEST_SAMPLES}
    moments = Moments()
    for split, count in counts.items():
        found: list[Board] = []
        pack(folder, split, _members(given.seed, split, count, found, moments))
        document = json.dumps(_coco(found), separators=(",", ":"))
        (folder / f"{split}.json").write_text(document, encoding="utf-8")
        defects = sum(len(board.defects) for board in found)
        log.info("split written", extra={"fields": {"split": split, "samples": count, "defects": defects}})
    return DatasetFacts(
        reader="coco",
        input_shape=(1, SIZE, SIZE),
        num_classes=len(DEFECTS),
        classes=DEFECTS,
        splits=counts,
        mean=(moments.mean,),
        std=(moments.std,),
        source=given.title or "Drawn circuit boards with defects",
        targets="Boxes",
    )


@dataclass(slots=True)
class Board:
    """A drawn board."""

    pixels: NDArray[np.uint8]
    """[SIZE, SIZE]"""
    defects: list[tuple[str, Box]]


def draw(random: np.random.RandomState) -> Board:
    """A board with up to three defects; one in ten has none."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - the image that resolves inputs has none

    image = Image.new("L", (SIZE * _FINE, SIZE * _FINE), 0)
    plan = _Plan.drawn(random)
    pen = _Pen(ImageDraw.Draw(image))
    plan.copper(pen)
    found = []
    for kind in _kinds(random):
        box = _DRAW[kind](plan, pen, random)
        if box is not None:
            found.append((kind, box))
    plan.holes(pen)
    copper = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX), np.float32) / 255
    pixels, found = _turned(_photograph(copper, random), found, random)
    return Board(pixels, found)


def _kinds(random: np.random.RandomState) -> list[str]:
    if random.rand() < 0.1:
        return []
    return [DEFECTS[random.randint(len(DEFECTS))] for _ in range(random.randint(1, _MAX_DEFECTS + 1))]


class _Pen:
    """Draws in pixels of the board on the larger canvas."""

    def __init__(self, canvas: ImageDraw.ImageDraw) -> None:
        self._canvas = canvas

    def line(self, points: list[tuple[float, float]], width: float, value: int) -> None:
        scaled = [(x * _FINE, y * _FINE) for x, y in points]
        self._canvas.line(scaled, value, round(width * _FINE), joint="curve")

    def disc(self, x: float, y: float, radius: float, value: int) -> None:
        box = [(x - radius) * _FINE, (y - radius) * _FINE, (x + radius) * _FINE, (y + radius) * _FINE]
        self._canvas.ellipse(box, value)

    def bar(self, box: Box, value: int) -> None:
        self._canvas.rectangle([edge * _FINE for edge in box], value)


@dataclass(slots=True)
class _Plan:
    """Where traces and pads run, and which places are taken."""

    heights: list[float]
    """Of each track at the left edge."""
    jog: float
    """Where all tracks shift, and by how much."""
    shift: float
    pads: list[tuple[int, float]]
    """Track and place."""
    taken: list[tuple[int, float]] = field(default_factory=list)
    without_hole: set[int] = field(default_factory=set)

    @classmethod
    def drawn(cls, random: np.random.RandomState) -> _Plan:
        heights = [_PITCH * (track + 0.5) + random.uniform(-1.5, 1.5) for track in range(_TRACKS)]
        jog, shift = random.uniform(16, SIZE - 20), random.uniform(-4, 4)
        plan = cls(heights, jog, shift, [])
        for _ in range(random.randint(2, _TRACKS + 1)):
            found = plan.place(random)
            if found is not None:
                plan.pads.append(found)
        return plan

    def height(self, track: int, x: float) -> float:
        """Of a track's middle at x; the shift takes as long as it is high, an angle of 45 degrees."""
        along = np.clip((x - self.jog) / max(abs(self.shift), 1e-6), 0, 1)
        return self.heights[track] + self.shift * float(along)

    def copper(self, pen: _Pen) -> None:
        for track in range(_TRACKS):
            bends = [-2.0, self.jog, self.jog + abs(self.shift), SIZE + 2.0]
            pen.line([(x, self.height(track, x)) for x in bends], _WIDTH, 255)
        for track, x in self.pads:
            pen.disc(x, self.height(track, x), _PAD, 255)

    def holes(self, pen: _Pen) -> None:
        for number, (track, x) in enumerate(self.pads):
            if number not in self.without_hole:
                pen.disc(x, self.height(track, x), _HOLE, 0)

    def place(self, random: np.random.RandomState, wide: int = 1) -> tuple[int, float] | None:
        """A free place on so many neighbouring tracks, by the first; None if none was found in some tries."""
        for _ in range(30):
            track, x = random.randint(_TRACKS - wide + 1), random.uniform(6, SIZE - 6)
            straight = not -4 < x - self.jog < abs(self.shift) + 4
            if straight and all(self._apart(track + more, x) for more in range(wide)):
                self.taken += [(track + more, x) for more in range(wide)]
                return track, x
        return None

    def _apart(self, track: int, x: float) -> bool:
        """Whether a place is far enough from all that are taken."""
        return all(
            abs(track - other) >= len(_APART) or abs(x - at) > _APART[abs(track - other)]
            for other, at in self.taken
        )


def _missing_hole(plan: _Plan, _: _Pen, random: np.random.RandomState) -> Box | None:
    whole = [number for number in range(len(plan.pads)) if number not in plan.without_hole]
    if not whole:
        return None
    number = whole[random.randint(len(whole))]
    plan.without_hole.add(number)
    track, x = plan.pads[number]
    return _around(x, plan.height(track, x), _PAD + 1, _PAD + 1)


def _mouse_bite(plan: _Plan, pen: _Pen, random: np.random.RandomState) -> Box | None:
    return _at_edge(plan, pen, random, 0, random.uniform(1.7, 2.3))


def _spur(plan: _Plan, pen: _Pen, random: np.random.RandomState) -> Box | None:
    return _at_edge(plan, pen, random, 255, random.uniform(1.7, 2.3))


def _at_edge(plan: _Plan, pen: _Pen, random: np.random.RandomState, value: int, radius: float) -> Box | None:
    found = plan.place(random)
    if found is None:
        return None
    side = 1 if random.rand() < 0.5 else -1
    x, y = found[1], plan.height(*found) + side * (_WIDTH / 2 + (0.6 if value else 0))
    pen.disc(x, y, radius, value)
    return _around(x, y, radius + 1.5, radius + 1.5)


def _open_circuit(plan: _Plan, pen: _Pen, random: np.random.RandomState) -> Box | None:
    found = plan.place(random)
    if found is None:
        return None
    x, y, half = found[1], plan.height(*found), random.uniform(1.5, 3)
    pen.bar(_around(x, y, half, _WIDTH / 2 + 2.5), 0)
    return _around(x, y, half + 2, _WIDTH / 2 + 2)


def _short(plan: _Plan, pen: _Pen, random: np.random.RandomState) -> Box | None:
    found = plan.place(random, 2)
    if found is None:
        return None
    track, x = found
    top, bottom, half = plan.height(track, x), plan.height(track + 1, x), random.uniform(1.2, 2)
    pen.bar((x - half, top, x + half, bottom), 255)
    return _around(x, (top + bottom) / 2, half + 2, (bottom - top) / 2)


def _spurious_copper(plan: _Plan, pen: _Pen, random: np.random.RandomState) -> Box | None:
    found = plan.place(random, 2)
    if found is None:
        return None
    track, x = found
    y, radius = (plan.height(track, x) + plan.height(track + 1, x)) / 2, random.uniform(1.6, 2.6)
    pen.disc(x, y, radius, 255)
    return _around(x, y, radius + 1.5, radius + 1.5)


_DRAW: Final[dict[str, Callable[[_Plan, _Pen, np.random.RandomState], Box | None]]] = {
    "missing_hole": _missing_hole,
    "mouse_bite": _mouse_bite,
    "open_circuit": _open_circuit,
    "short": _short,
    "spur": _spur,
    "spurious_copper": _spurious_copper,
}


def _around(x: float, y: float, half_width: float, half_height: float) -> Box:
    """A box, cut at the edges of the board."""
    left, right = max(0.0, x - half_width), min(float(SIZE), x + half_width)
    return left, max(0.0, y - half_height), right, min(float(SIZE), y + half_height)


def _photograph(copper: NDArray[np.float32], random: np.random.RandomState) -> NDArray[np.uint8]:
    """Copper (1) on its board (0) as a camera sees it: contrast, light from one side, noise."""
    dark, bright = random.uniform(40, 80), random.uniform(150, 210)
    slope = random.uniform(-20, 20, 2)
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE - 0.5
    light = slope[0] * rows + slope[1] * columns
    values = dark + (bright - dark) * copper + light + random.normal(0, 7, copper.shape)
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _turned(
    pixels: NDArray[np.uint8], defects: list[tuple[str, Box]], random: np.random.RandomState
) -> tuple[NDArray[np.uint8], list[tuple[str, Box]]]:
    """Traces run across or down."""
    if random.rand() < 0.5:
        return pixels, defects
    turned = [(kind, (top, left, bottom, right)) for kind, (left, top, right, bottom) in defects]
    return np.ascontiguousarray(pixels.T), turned


def _members(
    seed: int, split: str, count: int, found: list[Board], moments: Moments
) -> Iterator[tuple[str, bytes]]:
    """The PNG files of a split; what was drawn is left in `found`, pixels of training in `moments`."""
    for number in range(count):
        board = draw(stream(seed, split, number))
        if split == "train":
            moments.add(board.pixels / 255)
        found.append(board)
        yield f"{number:0{DIGITS}d}.png", png(board.pixels)
        board.pixels = np.zeros((0, 0), np.uint8)


def _coco(boards: list[Board]) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, board in enumerate(boards):
        name = f"{number:0{DIGITS}d}.png"
        images.append({"id": number, "file_name": name, "width": SIZE, "height": SIZE})
        for kind, (left, top, right, bottom) in board.defects:
            box = [round(edge, 2) for edge in (left, top, right - left, bottom - top)]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": number,
                    "category_id": DEFECTS.index(kind) + 1,
                    "bbox": box,
                    "area": round(box[2] * box[3], 2),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(DEFECTS, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}
