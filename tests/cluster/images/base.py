"""The base of all images: Debian bookworm's minimal system with Python, and a layer with git and ssh on it.

mmdebstrap makes both in one run. What differs from machine to machine (mirror, logs, caches, host names) is
left out. The changelogs are kept beside the layers instead: they say which vulnerability was fixed where.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cluster import debian, paths
from cluster.errors import ClusterError
from cluster.images import store, tarball

SUITE = "bookworm"
# usr-is-merged says that nothing is left to merge; its alternative, usrmerge, would bring Perl.
PACKAGES = ("ca-certificates", "libgomp1", "python3", "usr-is-merged")
GIT_PACKAGES = ("git", "openssh-client")
USER = 65532  # "nonroot" by the habit of distroless images

_DPKG_OPTIONS = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",  # a scanner reads the licences there
    "path-include=/usr/share/doc/*/changelog.Debian.gz",
    "path-include=/usr/share/doc/*/changelog.gz",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
)
# Packages that are Debian's own have one changelog; the others have one of Debian and one of their author.
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
    """The layer that every image starts with, the one with git above it, and the folder of changelogs."""

    system: store.Layer
    git: store.Layer
    changelogs: Path


def make(cache: store.Store) -> tuple[Base, bool]:
    """The base, and whether it had to be made; raises ClusterError with mmdebstrap's last words."""
    made_by = store.source_key(["base.py"])
    keys = [store.key(made_by, part, SUITE, *PACKAGES, *GIT_PACKAGES) for part in ("system", "git")]
    changelogs = cache.root / "changelogs" / keys[0]
    with paths.lock(cache.root / "base.lock"):
        known = [cache.known(key) for key in keys]
        if known[0] is None or known[1] is None or not changelogs.exists():
            with tempfile.TemporaryDirectory(dir=cache.root) as folder:
                system, whole = _bootstrap(Path(folder))
                _keep_changelogs([system, whole], changelogs)
                below = {entry.name: entry for entry in kept(tarball.archive_entries(system))}
                above = {entry.name: entry for entry in kept(tarball.archive_entries(whole))}
                layers = (
                    cache.layer(keys[0], below.values)[0],
                    cache.layer(keys[1], lambda: difference(below, above))[0],
                )
            return Base(*layers, changelogs), True
    return Base(known[0], known[1], changelogs), False


def kept(entries: Iterable[tarball.Entry]) -> Iterator[tarball.Entry]:
    """What belongs into an image: nothing of the machine it was made on, and no history."""
    for entry in entries:
        name = entry.name
        if name in _MACHINE_FILES or name in _OLD_STATE or name.startswith("etc/apt/sources.list.d/"):
            continue
        if any(name.startswith(folder) for folder in _EMPTY_FOLDERS) or _is_changelog(name):
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


def _bootstrap(folder: Path) -> tuple[Path, Path]:
    """Run mmdebstrap; returns the archives of the system alone and with git."""
    tools = debian.tools()
    system, whole = folder / "system.tar", folder / "whole.tar"
    line = f"nonroot:x:{USER}:{USER}:nonroot:/nonexistent:/usr/sbin/nologin"
    install = f"install --yes --no-install-recommends {' '.join(GIT_PACKAGES)}"
    hooks = (
        f"echo '{line}' >> \"$1/etc/passwd\"; echo 'nonroot:x:{USER}:' >> \"$1/etc/group\"",
        f'tar -C "$1" --one-file-system --numeric-owner --sort=name -cf {system} .',
        f'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -oDPkg::Chroot-Directory="$1" {install}',
    )
    command = [str(tools.program("mmdebstrap")), "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt={option}" for option in _DPKG_OPTIONS]
    command += [f"--customize-hook={hook}" for hook in hooks]
    command += [f"--hook-dir={tools.root}/usr/share/mmdebstrap/hooks/merged-usr", SUITE, str(whole)]
    environment = {**os.environ, **tools.environment(), "SOURCE_DATE_EPOCH": "0", "LC_ALL": "C"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        said = "\n".join(result.stderr.strip().splitlines()[-12:])
        raise ClusterError(f"mmdebstrap could not make the base image; see what it says:\n{said}")
    return system, whole


def _keep_changelogs(archives: Iterable[Path], folder: Path) -> None:
    """Copy the changelogs out of root file systems into one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        for entry in tarball.archive_entries(archive):
            if _is_changelog(entry.name) and isinstance(entry.data, tarball.Slice):
                path = Path(entry.name)
                (folder / f"{path.parent.name}.{path.name}").write_bytes(entry.data.read())


def _is_changelog(name: str) -> bool:
    return name.startswith("usr/share/doc/") and name.rpartition("/")[2] in _CHANGELOGS
