"""Log-mel features of WAV files from outside.

Owns decoding PCM and the features: the power spectrum of Hann windows in triangular bands on the mel scale
(Davis & Mermelstein 1980), as logarithms. NumPy alone, so that training, evaluation and a client of the
served model compute the same. Must not know labels.
"""

from __future__ import annotations

import io
import struct
import wave
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compression_jobs.readers.facts import LogMel
from compression_jobs.readers.problems import Unusable

MAX_CHANNELS: Final = 8
_FLOOR: Final = 1e-6
"""Power below which everything is silence."""
_DAMAGED: Final = (wave.Error, EOFError, struct.error, ValueError, OverflowError, ZeroDivisionError)
Floats = NDArray[np.float32]


def samples(data: bytes, rate: int, wanted: int) -> Floats:
    """The first samples of a recording, as mono in -1..1; a shorter one is filled up with silence.

    Args:
        data: a WAV file of PCM samples.
        rate: samples a second that it must have.
        wanted: how many samples to return.

    Raises:
        Unusable: it is no such file.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, found = file.getnchannels(), file.getsampwidth(), file.getframerate()
            if found != rate:
                raise Unusable(f"it has {found} samples a second, the dataset {rate}")
            if not 1 <= channels <= MAX_CHANNELS:
                raise Unusable(f"it has {channels} channels")
            raw = file.readframes(min(wanted, file.getnframes()))
    except _DAMAGED as error:
        raise Unusable(f"it is no WAV file of PCM samples ({str(error)[:80]})") from error
    values = _pcm(raw[: len(raw) - len(raw) % (width * channels)], width).reshape(-1, channels).mean(axis=1)
    if len(values) == 0:
        raise Unusable("it holds no samples")
    return np.asarray(np.pad(values, (0, wanted - len(values))), np.float32)


def log_mel(signal: Floats, how: LogMel, bands: int, frames: int) -> Floats:
    """Features float32 [1, bands, frames] of a signal of `length(how, frames)` samples."""
    starts = np.arange(frames) * how.hop
    windows = signal[starts[:, np.newaxis] + np.arange(how.window)] * _hann(how.window)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2 / how.window
    features = np.log(power @ filters(how.sample_rate, how.window, bands).T + _FLOOR)
    return np.asarray(features.T[np.newaxis], np.float32)


def length(how: LogMel, frames: int) -> int:
    """Samples that so many frames cover."""
    return how.window + how.hop * (frames - 1)


@lru_cache(maxsize=8)
def filters(rate: int, window: int, bands: int) -> NDArray[np.float64]:
    """Triangular bands [bands, window // 2 + 1], equally wide in mel from 20 Hz to half the rate."""
    low, high = _mel(20.0), _mel(rate / 2)
    edges = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    frequencies = np.arange(window // 2 + 1) * rate / window
    rising = (frequencies - edges[:-2, np.newaxis]) / (edges[1:-1] - edges[:-2])[:, np.newaxis]
    falling = (edges[2:, np.newaxis] - frequencies) / (edges[2:] - edges[1:-1])[:, np.newaxis]
    found: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return found


def encode(signal: Floats, rate: int) -> bytes:
    """A WAV file of 16-bit samples of a mono signal in -1..1."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(signal, -1, 1) * 32767).round().astype("<i2").tobytes())
    return buffer.getvalue()


@lru_cache(maxsize=8)
def _hann(window: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.hanning(window + 1)[:-1]
    return found


def _mel(frequency: float) -> float:
    return 2595 * float(np.log10(1 + frequency / 700))


def _pcm(raw: bytes, width: int) -> NDArray[np.float64]:
    """PCM as WAV stores it: 8 bits without a sign, wider ones with one, lowest byte first."""
    if width == 1:
        return (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) / 128
    if width == 3:
        padded = np.zeros((len(raw) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return padded.view("<i4")[:, 0] / 2.0**31
    if width not in (2, 4):
        raise Unusable(f"it has samples of {width * 8} bits")
    return np.frombuffer(raw, f"<i{width}").astype(np.float64) / 2.0 ** (width * 8 - 1)
