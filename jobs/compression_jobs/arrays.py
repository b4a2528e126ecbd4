"""Arrays in .npz files from outside.

Owns reading them safely: no pickle, no zip bomb, only what was asked for. Must not know what the arrays mean.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData

MAX_MEMBERS: Final = 4096
_MAX_HEADER: Final = 64 * 1024
_UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, RuntimeError)


def load(path: Path, names: Sequence[str], limit_bytes: int) -> dict[str, NDArray[Any]]:
    """Read some arrays of an .npz file.

    The size that each array's header declares is checked before anything is unpacked.

    Args:
        path: the file.
        names: the arrays that must be there.
        limit_bytes: the most that all of them together may take in memory.

    Raises:
        InvalidData: ArraysInvalid, naming the file and what is wrong with it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > MAX_MEMBERS:
                raise _invalid(path, f"it has more than {MAX_MEMBERS} members")
            declared = sum(_declared_bytes(archive, path, name) for name in names)
        if declared > limit_bytes:
            raise _invalid(path, f"its arrays take {declared} bytes, more than the {limit_bytes} allowed")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except _UNREADABLE as error:
        raise _invalid(path, f"it is no readable .npz file ({error})") from error


def save(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz file whose bytes follow from the arrays alone: fixed order and time, deflated."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                cast("Any", npy.write_array)(file, np.ascontiguousarray(arrays[name]), allow_pickle=False)


def _declared_bytes(archive: zipfile.ZipFile, path: Path, name: str) -> int:
    try:
        member = archive.open(f"{name}.npy")
    except KeyError as error:
        raise _invalid(path, f"it lacks the array {name!r}") from error
    with member:
        # numpy's reader of headers has no types; both versions have the same signature.
        readers: dict[Any, Any] = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        version = cast("Any", npy.read_magic)(member)
        if version not in readers:
            raise _invalid(path, f"array {name!r} has an unknown header")
        shape, _, dtype = readers[version](member, max_header_size=_MAX_HEADER)
    if dtype.hasobject:
        raise _invalid(path, f"array {name!r} holds Python objects")
    if any(length < 0 for length in shape):
        raise _invalid(path, f"array {name!r} declares a negative length")
    return math.prod((*shape, int(dtype.itemsize)))


def _invalid(path: Path, why: str) -> InvalidData:
    return InvalidData("ArraysInvalid", f"{path.name} cannot be used: {why}; write it with numpy.savez.")
