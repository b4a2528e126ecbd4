"""The base of all images: Debian bookworm's minimal system with Python, and a layer with git and ssh on it.

mmdebstrap makes both in one run. What differs from machine to machine (mirror, logs, caches, host names) is
left out. The changelogs are kept beside the layers instead: they say which vulnerability was fixed where.
"""

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cluster import paths
from cluster.images import bootstrap, store, tarball

# Packages that are Debian's own have one changelog; the others have one of Debian and one of their author.
STATUS = "var/lib/dpkg/status"
_FOR_APT = ("etc/apt/sources.list", "var/lib/dpkg/status")
_CHANGELOGS = ("changelog.Debian.gz", "changelog.gz")
_EMPTY_FOLDERS = (
    "boot/",
    "dev/",
    "proc/",
    "run/",
    "sys/",
    "tmp/",
    "var/cache/",
    "var/lib/apt/lists/",
    "var/log/",
    "var/tmp/",
)
# While packages are installed this is a stand-in, and the real one lies beside it under another name.
_DAEMON_STARTER = "usr/sbin/start-stop-daemon"
_MACHINE_FILES = frozenset(
    {
        "etc/.pwd.lock",
        "etc/apt/apt.conf.d/00mmdebstrap",
        "etc/apt/apt.conf.d/99mmdebstrap",
        "etc/apt/sources.list",
        "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
        "etc/hostname",
        "etc/machine-id",
        "etc/resolv.conf",
        "var/lib/dbus/machine-id",
        "usr/sbin/policy-rc.d",
        _DAEMON_STARTER,
        "var/lib/systemd/catalog/database",
    }
)
_OLD_STATE = ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-")


@dataclass(frozen=True)
class Base:
    """The layer that every image starts with, the one with git above it, and what tells of their packages.

    `records` holds compressed changelogs, dpkg's `status`, and apt's `sources.list`.
    """

    system: store.Layer
    git: store.Layer
    records: Path


def make(cache: store.Store) -> tuple[Base, bool]:
    """The base, and whether it had to be made; raises ClusterError with mmdebstrap's last words."""
    made_by = store.source_key(["base.py", "bootstrap.py"])
    keys = [store.key(made_by, part) for part in ("system", "git")]
    records = cache.root / "records" / keys[0]
    with paths.lock(cache.root / "base.lock"):
        known = [cache.known(key) for key in keys]
        if known[0] is None or known[1] is None or not records.exists():
            folder = cache.root / "bootstrap"
            shutil.rmtree(folder, ignore_errors=True)  # what an interruption left
            folder.mkdir(parents=True)
            system, whole = bootstrap.run(folder)
            _keep_records([system, whole], records)
            below = {entry.name: entry for entry in kept(tarball.archive_entries(system))}
            above = {entry.name: entry for entry in kept(tarball.archive_entries(whole))}
            layers = (
                cache.layer(keys[0], below.values)[0],
                cache.layer(keys[1], lambda: difference(below, above))[0],
            )
            shutil.rmtree(folder)
            return Base(*layers, records), True
    return Base(known[0], known[1], records), False


def kept(entries: Iterable[tarball.Entry]) -> Iterator[tarball.Entry]:
    """What belongs into an image: nothing of the machine it was made on, and no history."""
    for entry in entries:
        name = entry.name
        if name in _MACHINE_FILES or name in _OLD_STATE or name.startswith("etc/apt/sources.list.d/"):
            continue
        if any(name.startswith(folder) for folder in _EMPTY_FOLDERS) or is_changelog(name):
            continue
        if name.startswith("var/lib/dpkg/") and name.endswith("-old"):
            continue
        yield replace(entry, name=name.removesuffix(".REAL"))


def difference(below: dict[str, tarball.Entry], above: dict[str, tarball.Entry]) -> Iterator[tarball.Entry]:
    """What a layer must hold to turn one tree into another; a whiteout stands for what is gone."""
    for name, entry in above.items():
        if name not in below or _content(below[name]) != _content(entry):
            yield from (above[parent.name] for parent in tarball.parents(name) if parent.name in above)
            yield entry
    for name in below.keys() - above.keys():
        folder, _, last = name.rpartition("/")
        if folder in above:
            yield tarball.Entry(f"{folder}/.wh.{last}", 0o644, b"")


def _content(entry: tarball.Entry) -> tuple[object, ...]:
    data = entry.data
    if isinstance(data, tarball.Slice):
        data = hashlib.sha256(data.read()).digest()  # two of these trees would be large in memory
    return replace(entry, data=None), data


def _keep_records(archives: Iterable[Path], folder: Path) -> None:
    """Copy the changelogs out of root file systems into one folder, and with them what apt needs to know."""
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        for entry in tarball.archive_entries(archive):
            path = Path(entry.name)
            if isinstance(entry.data, tarball.Slice) and is_changelog(entry.name):
                (folder / f"{path.parent.name}.{path.name}").write_bytes(entry.data.read())
            elif isinstance(entry.data, tarball.Slice) and entry.name in _FOR_APT:
                (folder / path.name).write_bytes(entry.data.read())


def is_changelog(name: str) -> bool:
    """Whether a path in a package is that of a changelog."""
    return name.startswith("usr/share/doc/") and name.rpartition("/")[2] in _CHANGELOGS
