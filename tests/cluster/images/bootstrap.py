"""Runs mmdebstrap once for two archives: a minimal Debian with Python, and the same with git and ssh."""

import os
import subprocess
from pathlib import Path

from cluster import debian
from cluster.errors import ClusterError
from cluster.images import sources

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
_KEYRING = Path("usr/share/keyrings/debian-archive-keyring.gpg")


def run(folder: Path) -> tuple[Path, Path]:
    """Make both archives in a folder; raises ClusterError with mmdebstrap's last words."""
    tools = debian.tools()
    system, whole = folder / "system.tar", folder / "whole.tar"
    command = [str(tools.program("mmdebstrap")), "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--keyring={keyring()}", *(f"--dpkgopt={option}" for option in _DPKG_OPTIONS)]
    command += [f"--hook-dir={tools.root}/usr/share/mmdebstrap/hooks/merged-usr"]
    command += [f"--customize-hook={hook}" for hook in _hooks(system)]
    command += [sources.SUITE, str(whole)]
    mirrors = sources.read()
    if mirrors:  # otherwise mmdebstrap knows Debian's own
        command.append("-")
    if os.geteuid() == 0:
        # What it mounts goes away with it, however it ends.
        command = ["unshare", "--mount", "--fork", "--kill-child", *command]
    settings = {"SOURCE_DATE_EPOCH": "0", "LC_ALL": "C", "TMPDIR": str(folder)}
    environment = {**os.environ, **tools.environment(), **settings}
    result = subprocess.run(
        command, input=mirrors, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        said = "\n".join(result.stderr.strip().splitlines()[-12:])
        raise ClusterError(f"mmdebstrap could not make the base image; see what it says:\n{said}")
    return system, whole


def keyring() -> Path:
    """The public keys of Debian's archive: this machine's, or those of the package where it has none."""
    own = Path("/") / _KEYRING
    return own if own.exists() else debian.tools(("debian-archive-keyring",)).root / _KEYRING


def _hooks(system: Path) -> tuple[str, ...]:
    """What happens in the new system, given as "$1": a user is added, it is archived, git is added."""
    line = f"nonroot:x:{USER}:{USER}:nonroot:/nonexistent:/usr/sbin/nologin"
    install = f"install --yes --no-install-recommends {' '.join(GIT_PACKAGES)}"
    return (
        f"echo '{line}' >> \"$1/etc/passwd\"; echo 'nonroot:x:{USER}:' >> \"$1/etc/group\"",
        f'tar -C "$1" --one-file-system --numeric-owner --sort=name -cf {system} .',
        f'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -oDPkg::Chroot-Directory="$1" {install}',
    )
