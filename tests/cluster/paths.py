"""Where the cluster keeps what it makes: a cache that outlives clusters, and state that does not."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
GO_MODULE = PACKAGE / "go"


def cache() -> Path:
    """The cache folder: `COMPRESSION_OPERATOR_CACHE`, or `compression-operator` in the user's cache."""
    if chosen := os.environ.get("COMPRESSION_OPERATOR_CACHE"):
        return Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "compression-operator"


def states() -> Path:
    """The folder with one state folder for each cluster: `COMPRESSION_OPERATOR_STATE`, or in the cache."""
    if chosen := os.environ.get("COMPRESSION_OPERATOR_STATE"):
        return Path(chosen).resolve()
    return cache() / "state"


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel lets go of it when the holder dies.

    The holder may delete the file; who waited for it then locks the one that takes its place.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_same_file(handle.fileno(), path):
                yield
                return


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all, so that an interruption leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as handle:
        handle.write(text)
    temporary.replace(path)
