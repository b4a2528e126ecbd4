"""Reads Debian changelogs (deb-changelog(5)): which version of a source package first fixed a CVE."""

import gzip
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(
    r"^(?P<source>[a-z0-9][a-z0-9+.-]+) \((?P<version>[^()\s]+)\) [^;]+; urgency=", re.MULTILINE
)
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
_LONGEST_TITLE = 120


@dataclass(frozen=True)
class Fix:
    """A vulnerability, the source package and the version that fixed it, and the words of the changelog."""

    source: str
    vulnerability: str
    version: str
    title: str


def fixes(text: str) -> Iterator[Fix]:
    """The fixes that one changelog tells; of several versions that name a vulnerability, the oldest counts.

    A changelog is written newest first. Text that is no changelog of Debian's form tells nothing.
    """
    found: dict[tuple[str, str], Fix] = {}
    newer = ""
    for heading, following in itertools.pairwise([*_HEADING.finditer(text), None]):
        assert heading is not None
        # A rebuild of an upload for a stable release repeats it under a lower version, such as 1.2-3~deb12u1.
        version = newer if newer.startswith(f"{heading['version']}~") else heading["version"]
        newer = version
        entry = text[heading.end() : following.start() if following else len(text)]
        for line in entry.splitlines()[1:]:
            for vulnerability in _CVE.findall(line):
                title = line.strip(" \t*-+")[:_LONGEST_TITLE]
                fix = Fix(heading["source"], vulnerability, version, title)
                found[fix.source, vulnerability] = fix
    yield from found.values()


def read(files: Iterable[Path]) -> list[Fix]:
    """The fixes told by compressed changelogs, without repetition: packages of one source share theirs."""
    found = {
        (fix.source, fix.vulnerability): fix
        for path in files
        for fix in fixes(gzip.decompress(path.read_bytes()).decode(errors="replace"))
    }
    return [found[key] for key in sorted(found)]
