"""What the data image carries: files of Debian packages, and words that a Debian program speaks.

Owns the choice of packages, voices and speeds. The jobs' own code makes datasets of these files.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster import debian
from cluster.errors import ClusterError
from cluster.images import store, tarball

IMAGES = "usr/share/datasets/fashion-mnist"
FONTS = "usr/share/fonts/truetype"
WORDS_FOLDER = "usr/share/datasets/spoken-digits"

_IMAGE_PACKAGES = ("dataset-fashion-mnist",)
# A printed, a written and a sans-serif hand, 5 MB each.
_FONT_PACKAGES = ("fonts-arphic-gbsn00lp", "fonts-arphic-gkai00mp", "fonts-wqy-microhei")
_SPEECH_PACKAGES = ("espeak-ng",)
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ACCENTS = ("en-us", "en-gb", "en-gb-scotland")
_SPEAKERS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5")
_SPEEDS = (140, 170, 200)  # words a minute
_PITCH = 50


def image_files(cache: store.Store) -> tuple[store.Layer, bool]:
    """Fashion-MNIST by Xiao, Rasul and Vollgraf (2017), as Debian packages it."""
    return _debian_folder(cache, _IMAGE_PACKAGES, IMAGES)


def fonts(cache: store.Store) -> tuple[store.Layer, bool]:
    """Fonts with Chinese characters."""
    return _debian_folder(cache, _FONT_PACKAGES, FONTS)


def spoken_words(cache: store.Store) -> tuple[store.Layer, bool]:
    """The digits, spoken by espeak-ng in many voices."""
    choice = [*_WORDS, *_ACCENTS, *_SPEAKERS, *map(str, _SPEEDS)]
    return cache.layer(store.key(store.source_key(["samples.py"]), *choice), _spoken)


def speak(tools: debian.Tools, word: str, voice: str, speed: int) -> bytes:
    """A word as a WAV file; raises ClusterError with what espeak-ng said."""
    data = next((tools.root / "usr/lib").glob("*/espeak-ng-data"))
    done = subprocess.run(
        [str(tools.program("espeak-ng")), f"-v{voice}", f"-s{speed}", f"-p{_PITCH}", "--stdout", word],
        env={**os.environ, **tools.environment(), "ESPEAK_DATA_PATH": str(data)},
        capture_output=True,
        check=False,
    )
    if done.returncode or not done.stdout.startswith(b"RIFF"):
        raise ClusterError(f"espeak-ng could not say {word!r} as {voice}: {done.stderr.decode()[-300:]}")
    return done.stdout


def spoken() -> Iterator[tuple[str, bytes]]:
    """Every recording by its path below the folder of words."""
    tools = debian.tools(_SPEECH_PACKAGES)
    wanted = [
        (word, f"{accent}+{speaker}", speed)
        for word in _WORDS
        for accent in _ACCENTS
        for speaker in _SPEAKERS
        for speed in _SPEEDS
    ]

    def one(asked: tuple[str, str, int]) -> bytes:
        return speak(tools, *asked)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (word, voice, speed), data in zip(wanted, pool.map(one, wanted), strict=True):
            accent, speaker = voice.replace("-", "_").split("+")
            yield f"{word}/{speaker}-{accent}-{speed}.wav", data


def _spoken() -> Iterator[tarball.Entry]:
    yield from tarball.parents(f"{WORDS_FOLDER}/x")
    for name, data in spoken():
        yield from tarball.parents(f"{WORDS_FOLDER}/{name}")
        yield tarball.Entry(f"{WORDS_FOLDER}/{name}", 0o644, data)


def _debian_folder(cache: store.Store, packages: Sequence[str], folder: str) -> tuple[store.Layer, bool]:
    def entries() -> Iterator[tarball.Entry]:
        yield from tarball.parents(f"{folder}/x")
        yield from tarball.folder_entries(Path(debian.tools(packages).root) / folder, folder)

    return cache.layer(store.key(store.source_key(["samples.py"]), *packages, folder), entries)
