"""Layers of Python packages: the wheels of a locked requirement file, checked against its hashes.

Bytecode is compiled into the layer, because the root file system of a pod is read-only and importing Paddle
without it takes three times as long; it names the image's paths and is checked against no clock.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from cluster.errors import ClusterError
from cluster.images import lock, store, tarball

SITE = "opt/site"


def layer(cache: store.Store, file: str, only: str | None = None) -> tuple[store.Layer, bool]:
    """The layer of a requirement file (path from the repository's root), or of one package of it."""
    text = (lock.REPOSITORY / file).read_text()
    wanted = stanza(text, only) if only else text
    made_by = store.source_key(["requirements.py"])
    with tempfile.TemporaryDirectory() as folder:
        return cache.layer(
            store.key(made_by, _compilable(), pins(wanted)), lambda: _install(wanted, Path(folder))
        )


def stanza(text: str, package: str) -> str:
    """One package's lines of a requirement file; raises ClusterError where it has none."""
    found = re.search(rf"^{re.escape(package)}==(?:.*\\\n)*.*\n", text, re.MULTILINE)
    if found is None:
        raise ClusterError(
            f"{package} is in no locked requirement file: add it to pyproject's groups, `make lock`"
        )
    return found.group()


def pins(text: str) -> str:
    """A requirement file without its comments: what they say changes nothing that is installed."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _compilable() -> str:
    """The version for which this interpreter makes bytecode, or nothing where the image's is another."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return version if version == lock.PYTHON_VERSION else ""


def _install(wanted: str, folder: Path) -> Iterator[tarball.Entry]:
    file, target = folder / "requirements.txt", folder / "site"
    file.write_text(wanted)
    command = [lock.uv(), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(target)]
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(file)]
    command += ["--python-version", lock.PYTHON_VERSION, "--python-platform", "linux"]
    _run(command, "the locked packages cannot be installed")
    if _compilable():
        compile_bytecode(target, f"/{SITE}")
    entries = [entry for entry in tarball.folder_entries(target, SITE) if entry.name != f"{SITE}/.lock"]
    scripts = {entry.name for entry in entries if _is_script(entry)}
    yield from tarball.parents(f"{SITE}/x")
    for entry in entries:
        if entry.name not in scripts:
            yield _record(entry, scripts) if entry.name.endswith(".dist-info/RECORD") else entry


def compile_bytecode(folder: Path, path_in_image: str) -> None:
    """Compile a tree of sources; equal sources give equal bytecode."""
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-j", str(os.cpu_count() or 1)]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", path_in_image, str(folder)]
    # Some packages ship sources of other Python versions, which do not compile and are not imported either.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(command, env=environment, capture_output=True, check=False)


def _is_script(entry: tarball.Entry) -> bool:
    """Whether an entry is a console script, which would name the interpreter of this machine."""
    if not entry.name.startswith(f"{SITE}/bin/") or not isinstance(entry.data, Path):
        return False
    with entry.data.open("rb") as file:
        return file.read(2) == b"#!"


def _record(entry: tarball.Entry, left_out: AbstractSet[str]) -> tarball.Entry:
    """A package's list of its files, without those that were left out."""
    if not isinstance(entry.data, Path):
        return entry
    lines = entry.data.read_text().splitlines()
    kept = sorted(line for line in lines if f"{SITE}/{line.split(',')[0]}" not in left_out)
    return tarball.Entry(entry.name, entry.mode, ("\n".join(kept) + "\n").encode())


def _run(command: list[str], problem: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterError(f"{problem}:\n{result.stderr.strip()}")
