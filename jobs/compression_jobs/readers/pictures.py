"""Pixels of PNG and JPEG files from outside.

Owns decoding with every size checked before memory is taken, and bringing a picture to the size of a sample.
Must not know labels.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.readers.base import DatasetFacts
from compression_jobs.readers.problems import Unusable

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS: Final = 32 << 20
"""Of one picture as it is stored; 96 MiB in colour."""
FORMATS: Final = ("PNG", "JPEG")
_BILINEAR: Final = 2
"""PIL.Image.Resampling.BILINEAR."""
_MODES: Final = {1: "L", 3: "RGB"}
# Pillow's decoders raise these, and no more, on files that are damaged or lie.
_DAMAGED: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
)

ByName = Callable[[str], NDArray[np.uint8]]


def require_image(facts: DatasetFacts) -> tuple[int, int, int]:
    """Channels, height and width of a sample.

    Raises:
        InvalidData: DatasetInvalid, samples are no images in grey or colour.
    """
    if len(facts.input_shape) != 3 or facts.input_shape[0] not in _MODES or facts.input_type != "float32":
        raise InvalidData(
            "DatasetInvalid",
            f"Samples of shape {list(facts.input_shape)} are no images of 1 or 3 channels; "
            "correct the dataset's manifest.",
        )
    channels, height, width = facts.input_shape
    return channels, height, width


def decoded(data: bytes, channels: int, name: str) -> Image.Image:
    """A picture in grey (1 channel) or colour (3 channels).

    Raises:
        Unusable: it is no whole PNG or JPEG file of 8 bits a channel.
        InvalidData: ImageTooLarge, it declares more than MAX_PIXELS.
    """
    from PIL import Image  # noqa: PLC0415 - the image that resolves inputs has none: it reads no sample

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            raise _bomb(name, f"{picture.width}x{picture.height} pixels")
        if picture.mode not in {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"}:
            raise Unusable(f"pixels of mode {picture.mode} are not read: store 8 bits a channel")
        picture.load()
        return picture.convert(_MODES[channels])
    except Image.DecompressionBombError as error:
        raise _bomb(name, "hundreds of megapixels") from error
    except _DAMAGED as error:
        raise Unusable(f"it is no whole PNG or JPEG file ({str(error)[:80]})") from error


def stretched(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Pixels [channels, height, width]; sides are scaled each for itself."""
    if picture.size != (width, height):
        picture = picture.resize((width, height), _BILINEAR, reducing_gap=2.0)
    return _planes(picture)


def as_line(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Pixels [channels, height, width] of a line of text.

    It is scaled to the height; what is too wide then is squeezed, and the rest of a short one repeats its
    last column, which is background.
    """
    scaled = max(1, min(width, round(picture.width * height / picture.height)))
    pixels = stretched(picture, height, scaled)
    return np.pad(pixels, ((0, 0), (0, 0), (0, width - scaled)), mode="edge")


def _planes(picture: Image.Image) -> NDArray[np.uint8]:
    pixels = np.asarray(picture, np.uint8)
    return pixels[np.newaxis] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _bomb(name: str, what: str) -> InvalidData:
    return InvalidData(
        "ImageTooLarge",
        f"{name[:120]} of the dataset declares {what}, {MAX_PIXELS} are allowed; scale it down.",
    )
