"""One array of a value for each sample, of which a batch takes its rows.

Owns how such arrays lie on disk (raw .npy shards that are mapped into memory) and how rows are found: nothing
is ever read but the rows that are asked for. Must not know what the values mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from compression_jobs.errors import InvalidData
from compression_jobs.readers import Indices

Floats = NDArray[np.float32]

SHARD_BYTES: Final = 64 << 20


class Rows(Protocol):
    """A value for each of some samples."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one value."""
        ...

    def of(self, samples: Indices) -> Floats:
        """[len(samples), *shape], in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """How many values of which shape lie in how many files."""

    rows: int
    shape: tuple[int, ...]
    rows_per_shard: int

    @classmethod
    def of(cls, rows: int, shape: tuple[int, ...]) -> Layout:
        """Files of about SHARD_BYTES; the same for the same values."""
        return cls(rows, shape, max(1, SHARD_BYTES // max(1, 4 * math.prod(shape))))

    @property
    def bytes(self) -> int:
        """Of all values."""
        return 4 * self.rows * math.prod(self.shape)

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the shards."""
        return tuple(f"rows-{place:05}.npy" for place in range(-(-self.rows // self.rows_per_shard)))

    def lengths(self) -> Iterator[int]:
        """Rows of each shard."""
        for start in range(0, self.rows, self.rows_per_shard):
            yield min(self.rows_per_shard, self.rows - start)


@dataclass(frozen=True, slots=True)
class MappedRows:
    """Values on disk."""

    shards: tuple[Floats, ...]
    """Mapped into memory; equally long but for the last."""
    layout: Layout
    places: Indices
    """Row of each sample of the split; -1 where there is none."""

    @property
    def shape(self) -> tuple[int, ...]:
        """See Rows.shape."""
        return self.layout.shape

    def of(self, samples: Indices) -> Floats:
        """See Rows.of.

        Raises:
            IndexError: there is no row for one of them.
        """
        rows = self.places[samples]
        if rows.size and rows.min() < 0:
            raise IndexError("no row was kept for some of these samples")
        if len(self.shards) == 1:
            return np.asarray(self.shards[0][rows])
        found = np.empty((len(rows), *self.shape), np.float32)
        shard, within = np.divmod(rows, self.layout.rows_per_shard)
        for number in np.unique(shard):
            mine = shard == number
            found[mine] = self.shards[number][within[mine]]
        return found


@dataclass(frozen=True, slots=True)
class ComputedRows:
    """Values that are computed when they are asked for."""

    shape: tuple[int, ...]
    compute: Callable[[Indices], Floats]

    def of(self, samples: Indices) -> Floats:
        """See Rows.of."""
        return self.compute(samples)


class Writer:
    """Writes values that come in parts of any length, in order; the same values give the same bytes.

    Args:
        folder: where the layout's files go; what lies there under their names is replaced.
        layout: of the values.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self._folder = folder
        self._layout = layout
        self._row = 0
        self._shard: Any = None

    def add(self, part: Floats) -> None:
        """Write the next values, [any, *shape].

        Raises:
            ValueError: they are of another shape, or more than the layout has.
        """
        if part.shape[1:] != self._layout.shape or self._row + len(part) > self._layout.rows:
            raise ValueError(f"{part.shape} does not fit {self._layout} from row {self._row}")
        while len(part):
            number, within = divmod(self._row, self._layout.rows_per_shard)
            if within == 0:
                self._shard = self._open(number)
            piece = part[: len(self._shard) - within]
            self._shard[within : within + len(piece)] = piece
            self._row += len(piece)
            part = part[len(piece) :]

    def close(self) -> None:
        """Bring everything to disk.

        Raises:
            ValueError: rows are missing.
        """
        if self._row != self._layout.rows:
            raise ValueError(f"{self._row} of {self._layout.rows} rows were written")
        self._shard = None

    def _open(self, number: int) -> Any:
        length = tuple(self._layout.lengths())[number]
        path = self._folder / self._layout.files[number]
        # NumPy's writer of mapped files has no types.
        opened = cast("Any", np.lib.format.open_memmap)
        return opened(path, mode="w+", dtype=np.float32, shape=(length, *self._layout.shape))


def mapped(folder: Path, layout: Layout, samples: Indices, size: int) -> MappedRows:
    """Values on disk, the first row being that of the first of `samples`.

    Args:
        folder: with the layout's files.
        layout: as they were written.
        samples: numbers in a split.
        size: of the split.

    Raises:
        InvalidData: ArraysInvalid.
    """
    shards = []
    for name, length in zip(layout.files, layout.lengths(), strict=True):
        wanted = (length, *layout.shape)
        try:
            shard: NDArray[Any] = np.load(folder / name, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise _invalid(name, f"it is no readable .npy file ({error})") from error
        if shard.dtype != np.float32 or shard.shape != wanted or not shard.flags.c_contiguous:
            raise _invalid(name, f"it is {shard.dtype} {shard.shape}, should be float32 {wanted}")
        shards.append(shard)
    places = np.full(size, -1, np.int64)
    places[samples] = np.arange(len(samples))
    return MappedRows(tuple(shards), layout, places)


def _invalid(name: str, why: str) -> InvalidData:
    return InvalidData("ArraysInvalid", f"{name} of the teachers' outputs cannot be used: {why}.")
