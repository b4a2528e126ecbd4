"""Where this machine gets Debian bookworm from, if it does.

Reads apt's two formats (sources.list(5)). Third parties' sources are left alone: they are not Debian.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

SUITE = "bookworm"
_Place = tuple[str, str]  # address and suite
_SUITES = frozenset({SUITE, f"{SUITE}-updates", f"{SUITE}-security"})
_APT = Path("/etc/apt")
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)"
)


def read(apt: Path = _APT) -> str:
    """One-line entries for bookworm and its updates; "" where this machine is no bookworm."""
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    texts = [(path.suffix, path.read_text(errors="replace")) for path in files if path.is_file()]
    found = [place for suffix, text in texts for place in _places(suffix, text)]
    if SUITE not in {suite for _, suite in found}:
        return ""
    return "".join(f"deb {uri} {suite} main\n" for uri, suite in dict.fromkeys(found))


def _places(suffix: str, text: str) -> Iterator[_Place]:
    if suffix == ".sources":
        for stanza in re.split(r"\n\s*\n", text):
            yield from _from_stanza(stanza)
    elif suffix == ".list":
        for line in text.splitlines():
            if match := _ONE_LINE.fullmatch(line.split("#")[0].strip()):
                yield from _wanted([match["uri"]], [match["suite"]], match["components"].split())


def _from_stanza(stanza: str) -> Iterator[_Place]:
    lines = (line for line in stanza.splitlines() if not line.startswith("#"))
    fields = {
        name.strip().lower(): value.split()
        for name, colon, value in (line.partition(":") for line in lines)
        if colon
    }
    if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
        yield from _wanted(fields.get("uris", []), fields.get("suites", []), fields.get("components", []))


def _wanted(uris: Iterable[str], suites: Iterable[str], components: Iterable[str]) -> Iterator[_Place]:
    if "main" in components:
        for suite in suites:
            yield from ((uri, suite) for uri in uris if suite in _SUITES and _is_debian(uri))


def _is_debian(uri: str) -> bool:
    return urlsplit(uri).path.rstrip("/").rpartition("/")[2] in {"debian", "debian-security"}
