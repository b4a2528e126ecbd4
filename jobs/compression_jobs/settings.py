"""Where a stage's process finds things: the mounts of its pod, or other places on a person's machine.

Owns the environment variables that move them:

=============================  =========================================================
COMPRESSION_INPUT              the input document (/etc/compression/input.json)
COMPRESSION_TERMINATION_LOG    where the result is written (/dev/termination-log)
COMPRESSION_STORAGE_SECRET     folder with accessKeyId and secretAccessKey
COMPRESSION_REGISTRY_SECRET    folder with .dockerconfigjson
COMPRESSION_SCRATCH            writable folder (/scratch)
COMPRESSION_EXCHANGE           folders in place of the object store, in pods that run an author's code (none)
=============================  =========================================================

Must not read any of the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compression_contract import keys


@dataclass(frozen=True, slots=True)
class Settings:
    """The places of one process."""

    input: Path = Path(keys.INPUT_FILE)
    termination_log: Path = Path(keys.TERMINATION_LOG)
    storage_secret: Path = Path(keys.STORAGE_SECRET_FOLDER)
    registry_secret: Path = Path(keys.REGISTRY_SECRET_FOLDER)
    scratch: Path = Path(keys.SCRATCH_FOLDER)
    exchange: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """The pod's mounts, except where a variable says otherwise."""
        moved = {
            name: Path(value)
            for name in cls.__dataclass_fields__
            if (value := environment.get(f"COMPRESSION_{name.upper()}"))
        }
        return cls(**moved)

    @property
    def secret_folders(self) -> tuple[Path, ...]:
        """Where Secrets are mounted."""
        return self.storage_secret, self.registry_secret
