"""The database itself, in the schema of trivy-db version 2: <https://github.com/aquasecurity/trivy-db>.

Fixes are real, severities come from the table below, and there is one entry that is only for tests. Must
not know where the database is served from.
"""

import datetime as dt
import gzip
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cluster import paths
from cluster.images import recipes, store, tarball
from cluster.neighbours.advisories import bolt, changelogs

RELEASE = "debian 12"
TEST_VULNERABILITY = "CVE-0000-0001"
"""Not a real vulnerability: there was no year 0. It makes one package of one test image critical."""

# As the National Vulnerability Database rates them; all others have the severity UNKNOWN.
_SEVERITIES = {
    "CVE-2022-37434": "CRITICAL",  # zlib, inflate
    "CVE-2023-38408": "CRITICAL",  # openssh, ssh-agent
    "CVE-2023-4911": "HIGH",  # glibc, dynamic loader
    "CVE-2023-5363": "HIGH",  # openssl, key lengths
    "CVE-2023-23914": "CRITICAL",  # curl, HSTS
    "CVE-2024-2961": "HIGH",  # glibc, iconv
    "CVE-2024-6387": "HIGH",  # openssh, regreSSHion
    "CVE-2024-32002": "CRITICAL",  # git, recursive clones
    "CVE-2024-45491": "CRITICAL",  # expat
    "CVE-2024-6119": "HIGH",  # openssl, names in certificates
}
_LEVELS = {"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}
_LASTS = dt.timedelta(hours=3)
_NEXT_UPDATE = dt.timedelta(hours=24)


@dataclass(frozen=True)
class Database:
    """A packed database: `db.tar.gz` as a registry serves it, its digest, and when it was made."""

    archive: Path
    digest: str
    made: dt.datetime


def ensure(folder: Path, about: str, gather: Callable[[], Iterable[Path]], now: dt.datetime) -> Database:
    """The database kept in a folder; made anew, of the changelogs that `gather` finds, when it is hours old.

    `about` says which packages it is about: one about others does not count. Scan gates refuse an old
    database, as its silence says nothing about what was found since.
    """
    key = store.key(Path(__file__).read_bytes(), Path(bolt.__file__).read_bytes(), about)
    record = folder / f"{key}.json"
    with paths.lock(folder / ".lock"):
        known = _known(record)
        if known is None or not now - _LASTS <= known.made <= now:
            known = _make(folder / f"{key}.tar.gz", changelogs.read(gather()), now)
            paths.write(record, json.dumps({"digest": known.digest, "made": known.made.isoformat()}))
    return known


def tree(found: Iterable[changelogs.Fix]) -> bolt.Tree:
    """The buckets: advisories by source package, and what is known about each vulnerability."""
    advisories: dict[str, dict[str, bytes]] = {}
    details = {TEST_VULNERABILITY: _details("TEST ENTRY, not a real vulnerability", "CRITICAL")}
    for fix in found:
        advisories.setdefault(fix.source, {})[fix.vulnerability] = _json({"FixedVersion": fix.version})
        details.setdefault(fix.vulnerability, _details(fix.title, _SEVERITIES.get(fix.vulnerability)))
    test_package = advisories.setdefault(recipes.VULNERABLE_PACKAGE, {})
    test_package[TEST_VULNERABILITY] = _json({"FixedVersion": "9999"})
    source = {
        "ID": "debian",
        "Name": "Changelogs of Debian packages",
        "URL": "https://www.debian.org/security/",
    }
    return {
        RELEASE: advisories,
        "data-source": {RELEASE: _json(source)},
        "vulnerability": details,
    }


def _details(title: str, severity: str | None) -> bytes:
    document: dict[str, object] = {"Title": title, "Description": title}
    if severity:
        document |= {"Severity": severity, "VendorSeverity": {"debian": _LEVELS[severity]}}
    return _json(document)


def _known(record: Path) -> Database | None:
    archive = record.with_suffix(".tar.gz")
    if not record.exists() or not archive.exists():
        return None
    said = json.loads(record.read_text())
    return Database(archive, said["digest"], dt.datetime.fromisoformat(said["made"]))


def _make(archive: Path, found: Iterable[changelogs.Fix], now: dt.datetime) -> Database:
    times = {"UpdatedAt": now, "DownloadedAt": now, "NextUpdate": now + _NEXT_UPDATE}
    metadata = {"Version": 2, **{name: time.strftime("%Y-%m-%dT%H:%M:%SZ") for name, time in times.items()}}
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "trivy.db"
        bolt.write(file, tree(found))
        packed = io.BytesIO()
        entries = [
            tarball.Entry("trivy.db", 0o644, file),
            tarball.Entry("metadata.json", 0o644, _json(metadata)),
        ]
        tarball.write(entries, packed)
    data = gzip.compress(packed.getvalue(), mtime=0)
    archive.write_bytes(data)
    return Database(archive, f"sha256:{hashlib.sha256(data).hexdigest()}", now)


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
