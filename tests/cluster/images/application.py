"""The layer of our own packages: small, and the only one that a change of our code makes anew."""

import py_compile
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cluster.images import lock, store, tarball

FOLDER = "opt/app"


def layer(cache: store.Store, packages: Sequence[str]) -> tuple[store.Layer, bool]:
    """The layer of packages given by their path from the repository's root."""
    sources = list(_sources(packages))
    made_by = store.source_key(["application.py"])
    content = [part for name, path in sources for part in (name, path.read_bytes())]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with tempfile.TemporaryDirectory() as folder:
        return cache.layer(
            store.key(made_by, version, *content), lambda: _entries(sources, version, Path(folder))
        )


def _sources(packages: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Names in the image and files of all that belongs to the packages."""
    for package in packages:
        root = lock.REPOSITORY / package
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{FOLDER}/{root.name}/{path.relative_to(root).as_posix()}", path


def _entries(sources: Sequence[tuple[str, Path]], version: str, folder: Path) -> Iterator[tarball.Entry]:
    for number, (name, path) in enumerate(sources):
        yield from tarball.parents(name)
        yield tarball.Entry(name, 0o644, path.read_bytes())
        if path.suffix == ".py" and version == lock.PYTHON_VERSION:
            compiled = f"{Path(name).parent}/__pycache__/{path.stem}.cpython-{version.replace('.', '')}.pyc"
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            out = folder / f"{number}.pyc"
            py_compile.compile(str(path), str(out), f"/{name}", doraise=True, invalidation_mode=mode)
            yield from tarball.parents(compiled)
            yield tarball.Entry(compiled, 0o644, out.read_bytes())
