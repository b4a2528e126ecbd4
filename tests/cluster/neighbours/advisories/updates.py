"""What Debian published since the images' base was made: changelogs of newer versions of its packages.

Without them a database would say that an old base has no fixes to miss.
"""

import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from cluster import debian, paths
from cluster.images import base, bootstrap


def changelogs(records: Path, folder: Path) -> list[Path]:
    """Download newer versions of the recorded packages into a folder; returns their compressed changelogs.

    `records` is what the base keeps (base.Base.records). Where no mirror can be reached there are none,
    as there are none when nothing is newer; what was downloaded before is not downloaded again.
    """
    with paths.lock(folder / ".lock"):
        apt = debian.apt_get(folder / "lists", folder / "archives", records / "status")
        apt += [f"-oDir::Etc::SourceList={records / 'sources.list'}", "-oDir::Etc::SourceParts=/dev/null"]
        apt += [f"-oDir::Etc::Trusted={bootstrap.keyring()}", "-oDir::Etc::TrustedParts=/dev/null"]
        if _run([*apt, "update"]) and _run([*apt, "--yes", "--download-only", "dist-upgrade"]):
            return [
                path
                for archive in sorted((folder / "archives").glob("*.deb"))
                for path in _taken_from(archive)
            ]
    return []


def _taken_from(archive: Path) -> Iterator[Path]:
    """The changelogs of one package, unpacked beside it once."""
    process = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE)
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as content:
        for member in content:
            name = member.name.removeprefix("./")
            if base.is_changelog(name) and member.isreg() and (data := content.extractfile(member)):
                path = archive.with_name(f"{archive.name}.{Path(name).name}")
                path.write_bytes(data.read())
                yield path


def _run(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
