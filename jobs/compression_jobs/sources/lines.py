"""Lines of Chinese characters, rendered from the fonts of the data image: a dataset of texts.

Owns the rendering. Characters are drawn at random and mean nothing together, so that a recogniser has to see
each and cannot guess from its neighbours.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.inputs import PrepareDataInput
from compression_jobs.errors import NotFound
from compression_jobs.readers import DatasetFacts
from compression_jobs.readers.packing import pack
from compression_jobs.sources.layout import DIGITS, Moments, png, stream

if TYPE_CHECKING:
    from PIL import ImageFont

HEIGHT, WIDTH = 32, 96
ALPHABET: Final = "的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着"
"""Forty of the most frequent characters of written Chinese."""
TRAIN_SAMPLES: Final = 3000
TEST_SAMPLES: Final = 500
_LENGTHS: Final = (1, 4)
_SIZES: Final = (20, 23)
"""Of a character, in pixels."""

log = logging.getLogger(__name__)
Fonts = Sequence[Sequence["ImageFont.FreeTypeFont"]]


def write(given: PrepareDataInput, folder: Path) -> DatasetFacts:
    """Write both splits, and return the facts of the manifest.

    Raises:
        NotFound: SourceNotFound, there is no font.
    """
    fonts = load(Path(given.source))
    counts = {"train": given.train_samples or TRAIN_SAMPLES, "test": given.test_samples or TEST_SAMPLES}
    moments = Moments()
    for split, count in counts.items():
        texts: list[str] = []
        pack(folder, split, _members(given.seed, split, count, fonts, (texts, moments)))
        rows = "".join(f"{number:0{DIGITS}d}.png\t{text}\n" for number, text in enumerate(texts))
        (folder / f"{split}.txt").write_text(rows, encoding="utf-8")
        log.info("split written", extra={"fields": {"split": split, "samples": count}})
    return DatasetFacts(
        reader="ocr-list",
        input_shape=(1, HEIGHT, WIDTH),
        num_classes=len(ALPHABET),
        splits=counts,
        mean=(moments.mean,),
        std=(moments.std,),
        source=given.title or "Rendered Chinese characters",
        targets="Symbols",
        alphabet=tuple(ALPHABET),
    )


def load(folder: Path) -> Fonts:
    """Every font below a folder, by path, each in all sizes.

    Raises:
        NotFound: SourceNotFound.
    """
    from PIL import ImageFont  # noqa: PLC0415 - the image that resolves inputs has none

    paths = sorted(path for path in folder.rglob("*") if path.suffix in {".ttf", ".ttc", ".otf"})
    if not paths:
        raise NotFound("SourceNotFound", f"There is no font below {folder}; check the data image.")
    sizes = range(_SIZES[0], _SIZES[1] + 1)
    return [[ImageFont.truetype(str(path), size) for size in sizes] for path in paths]


def render(text: str, fonts: Fonts, random: np.random.RandomState) -> NDArray[np.uint8]:
    """A line of text [HEIGHT, WIDTH]: dark on bright, in one font, set somewhat askew, with noise."""
    from PIL import Image, ImageDraw, ImageFilter  # noqa: PLC0415 - as above

    sizes = fonts[random.randint(len(fonts))]
    font = sizes[random.randint(len(sizes))]
    canvas = Image.new("L", (WIDTH, HEIGHT), 0)
    left, top, right, bottom = font.getbbox(text)
    x = random.uniform(1, max(2, WIDTH - (right - left) - 1)) - left
    y = (HEIGHT - (bottom - top)) / 2 + random.uniform(-3, 3) - top
    ImageDraw.Draw(canvas).text((x, y), text, 255, font=font)
    canvas = canvas.rotate(random.uniform(-2, 2), Image.Resampling.BILINEAR)
    canvas = canvas.filter(ImageFilter.GaussianBlur(random.uniform(0, 0.7)))
    ink = np.asarray(canvas, np.float32) / 255
    paper, dark = random.uniform(170, 240), random.uniform(10, 90)
    values = paper + (dark - paper) * ink + random.normal(0, random.uniform(3, 12), ink.shape)
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def _members(
    seed: int, split: str, count: int, fonts: Fonts, seen: tuple[list[str], Moments]
) -> Iterator[tuple[str, bytes]]:
    """The PNG files of a split; texts and pixels of training are left in `seen`."""
    texts, moments = seen
    for number in range(count):
        random = stream(seed, split, number)
        length = random.randint(_LENGTHS[0], _LENGTHS[1] + 1)
        text = "".join(ALPHABET[index] for index in random.randint(0, len(ALPHABET), length))
        pixels = render(text, fonts, random)
        texts.append(text)
        if split == "train":
            moments.add(pixels / 255)
        yield f"{number:0{DIGITS}d}.png", png(pixels)
