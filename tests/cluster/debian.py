"""Programs from Debian packages, run from a cache folder: the host's own packages stay as they are.

apt resolves and verifies as usual, but with its lists, its archives and its view of what is installed in
the cache; each package is then unpacked with `dpkg-deb -x`. Shared libraries that the host lacks come along.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import paths
from cluster.errors import ClusterError, MissingRequirementError

PACKAGES = (
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "docker-registry",
    "iptables",
    "mmdebstrap",
    "nftables",
    "runc",
)
_PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
# Debian makes these names with update-alternatives at installation, which does not happen here.
_IPTABLES = [f"{table}{verb}" for table in ("iptables", "ip6tables") for verb in ("", "-save", "-restore")]
_HOST_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_INSTALLED = Path("/var/lib/dpkg/status")


@dataclass(frozen=True)
class Tools:
    """An unpacked set of Debian packages."""

    root: Path

    def program(self, name: str) -> Path:
        """The path of a program in it; raises ClusterError where the set has none of that name."""
        for folder in ("alternatives", *_PROGRAM_FOLDERS):
            candidate = self.root / folder / name
            if candidate.exists():
                return candidate
        raise ClusterError(f"{name} is in none of the packages unpacked at {self.root}")

    @property
    def cni_plugins(self) -> Path:
        """The folder of the CNI plugins."""
        return self.root / "usr/lib/cni"

    def environment(self, *first: Path) -> dict[str, str]:
        """Variables under which the programs run: PATH (the folders given first) and the library paths."""
        libraries = self.root / "usr/lib" / f"{platform.machine()}-linux-gnu"
        own = [self.root / folder for folder in ("alternatives", *_PROGRAM_FOLDERS)]
        return {
            "PATH": ":".join(map(str, [*first, *own, *_HOST_PATH])),
            "LD_LIBRARY_PATH": f"{libraries}:{self.root / libraries.relative_to(self.root / 'usr')}",
            "XTABLES_LIBDIR": str(libraries / "xtables"),
        }


def tools(packages: Sequence[str] = PACKAGES) -> Tools:
    """The packages and what they need, unpacked once; raises ClusterError when apt cannot bring them."""
    root = _folder(packages)
    with paths.lock(root.with_suffix(".lock")):
        if not root.exists():
            _require("apt-get", "dpkg-deb")
            _unpack(_download(packages), root)
    return Tools(root)


def is_cached(packages: Sequence[str] = PACKAGES) -> bool:
    """Whether `tools` would find everything unpacked already."""
    return _folder(packages).exists()


def without(status: str, packages: Sequence[str]) -> str:
    """A dpkg status text without some packages, so that apt brings them though the host has them."""
    wanted = set(packages)
    named = re.compile(r"Package: (\S+)")
    kept = [s for s in status.split("\n\n") if (m := named.match(s)) is None or m[1] not in wanted]
    return "\n\n".join(kept)


def _folder(packages: Sequence[str]) -> Path:
    release = platform.freedesktop_os_release()
    key = [release.get("ID", ""), release.get("VERSION_ID", ""), platform.machine(), *sorted(set(packages))]
    digest = hashlib.sha256("\n".join(key).encode()).hexdigest()[:16]
    return paths.cache() / "debian" / f"{digest}"


def _require(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise MissingRequirementError(
            f"{' and '.join(missing)} not found: containerd, runc and others come as Debian packages; "
            "use a Debian or Ubuntu machine or container"
        )


def _download(packages: Sequence[str]) -> list[Path]:
    base = paths.cache() / "apt"
    folder = base / _folder(packages).name
    folder.mkdir(parents=True, exist_ok=True)
    installed = folder / "status"
    installed.write_text(without(_INSTALLED.read_text(), packages))
    apt = apt_get(base / "lists", folder, installed)
    # A third party's broken source must not stop the rest: what is missing shows at the next step.
    with paths.lock(base / "lists.lock"):
        update = _run([*apt, "update"])
    install = [*apt, "install", "--yes", "--no-install-recommends", "--download-only", *sorted(packages)]
    result = _run(install)
    archives = sorted(folder.glob("*.deb"))
    if result.returncode or not archives:
        said = "\n".join((update.stderr + result.stdout + result.stderr).strip().splitlines()[-12:])
        raise ClusterError(
            f"apt could not download {', '.join(packages)}; check /etc/apt/sources.list*:\n{said}"
        )
    return archives


def apt_get(lists: Path, archives: Path, installed: Path) -> list[str]:
    """apt-get with its lists, its archives and its view of what is installed in files of ours."""
    for needed in (lists / "partial", archives / "partial"):
        needed.mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::lists": lists,
        "Dir::State::status": installed,
        "Dir::State::extended_states": archives / "extended_states",
        "Dir::Cache::archives": archives,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Log": archives,
        "APT::Sandbox::User": "root",
        "APT::Get::AllowUnauthenticated": "false",
        "Debug::NoLocking": "true",
        "Dpkg::Use-Pty": "0",
    }
    return ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]


def _unpack(archives: Sequence[Path], root: Path) -> None:
    part = root.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for archive in archives:
        result = _run(["dpkg-deb", "-x", str(archive), str(part)])
        if result.returncode:
            raise ClusterError(
                f"dpkg-deb could not unpack {archive}: {result.stderr.strip()}; delete it and try again"
            )
    (part / "alternatives").mkdir()
    if (part / "usr/sbin/xtables-nft-multi").exists():
        for name in _IPTABLES:
            (part / "alternatives" / name).symlink_to("../usr/sbin/xtables-nft-multi")
    part.replace(root)
    shutil.rmtree(archives[0].parent, ignore_errors=True)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
