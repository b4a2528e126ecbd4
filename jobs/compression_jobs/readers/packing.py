"""Writing samples into tar shards.

Owns the layout that `shards` reads; the same members give the same bytes. Must not know what a member means.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SHARD_BYTES: Final = 256 << 20


def pack(folder: Path, split: str, members: Iterable[tuple[str, bytes]], limit: int = SHARD_BYTES) -> int:
    """Write `<split>-000000.tar`, `<split>-000001.tar`, …; a shard ends once it holds `limit` bytes.

    Returns:
        How many shards there are.
    """
    shards, archive, held = 0, None, 0
    for name, data in members:
        if archive is None or held >= limit:
            if archive is not None:
                archive.close()
            archive = tarfile.open(folder / f"{split}-{shards:06d}.tar", "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
            shards, held = shards + 1, 0
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
        held += len(data)
    if archive is not None:
        archive.close()
    return shards
