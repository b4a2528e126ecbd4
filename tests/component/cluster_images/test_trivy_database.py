"""The offline database, as the real Trivy reads it."""

import datetime as dt
import gzip
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from cluster.images import recipes
from cluster.neighbours.advisories import bolt, database

TRIVY = Path(sys.executable).with_name("trivy")
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CHANGELOG = """\
zlib (1:1.2.13.dfsg-2) bookworm; urgency=medium

  * Fix a bug when getting a gzip header extra field (CVE-2022-37434)

 -- Some One <some@one.example>  Mon, 01 Jan 2024 00:00:00 +0000
"""
SYSTEM = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "etc/debian_version": "12.5\n",
}


def package(name: str, version: str) -> str:
    return f"Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n\n"


def scan(cache: Path, root: Path) -> dict[str, str]:
    """Severities by identifier that Trivy finds in a root file system, without asking anybody."""
    command = [
        str(TRIVY),
        "rootfs",
        "--cache-dir",
        str(cache),
        "--skip-db-update",
        "--offline-scan",
        "--quiet",
    ]
    command += ["--scanners", "vuln", "--format", "json", str(root)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    results = json.loads(found.stdout)["Results"]
    return {v["VulnerabilityID"]: v["Severity"] for r in results for v in r.get("Vulnerabilities", ())}


@pytest.fixture
def changelog(tmp_path) -> Path:
    path = tmp_path / "zlib1g.changelog.Debian.gz"
    path.write_bytes(gzip.compress(CHANGELOG.encode()))
    return path


@pytest.fixture
def cache(tmp_path, changelog) -> Path:
    """Trivy's cache folder with the database in it."""
    made = database.ensure(tmp_path / "made", "base", lambda: [changelog], NOW)
    with tarfile.open(made.archive) as archive:
        archive.extractall(tmp_path / "cache/db", filter="data")
    return tmp_path / "cache"


def root_with(folder: Path, *packages: str) -> Path:
    files = {**SYSTEM, "var/lib/dpkg/status": "".join(packages)}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("version", "found"),
    [("1:1.2.13.dfsg-1", {"CVE-2022-37434": "CRITICAL"}), ("1:1.2.13.dfsg-2", {}), ("1:1.3-1", {})],
)
def test_a_version_before_the_fix_is_found_and_others_are_not(tmp_path, cache, version, found):
    assert scan(cache, root_with(tmp_path / "root", package("zlib", version))) == found


def test_the_test_entry_hits_its_package_only(tmp_path, cache):
    root = root_with(
        tmp_path / "root", package(recipes.VULNERABLE_PACKAGE, "2.10-3"), package("bash", "5.2-1")
    )
    assert scan(cache, root) == {database.TEST_VULNERABILITY: "CRITICAL"}


def test_many_packages_make_a_deep_tree_that_is_read_to_its_last_leaf(tmp_path, cache):
    advisory = json.dumps({"FixedVersion": "2"}).encode()
    names = [f"package{number:05d}" for number in range(3000)]
    tree = {
        database.RELEASE: {name: {f"CVE-2020-{index:05d}": advisory} for index, name in enumerate(names)},
        "data-source": {database.RELEASE: json.dumps({"ID": "debian"}).encode()},
        "vulnerability": {"CVE-2020-00000": json.dumps({"Title": "x" * 9000, "Severity": "LOW"}).encode()},
    }
    bolt.write(cache / "db/trivy.db", tree)
    root = root_with(tmp_path / "root", *(package(name, "1") for name in (names[0], names[1500], names[-1])))
    assert set(scan(cache, root)) == {"CVE-2020-00000", "CVE-2020-01500", "CVE-2020-02999"}


@pytest.fixture
def made_at(tmp_path, changelog):
    """Asks for the database some hours later; the answer is when it was made and its digest."""

    def ask(hours: float, about: str = "base") -> tuple[float, str]:
        made = database.ensure(tmp_path / "kept", about, lambda: [changelog], NOW + dt.timedelta(hours=hours))
        return (made.made - NOW) / dt.timedelta(hours=1), made.digest

    return ask


def test_it_is_made_again_when_it_is_hours_old_and_not_before(made_at):
    answers = [made_at(hours) for hours in (0, 1, 5)]
    assert [made for made, _ in answers] == [0, 0, 5]
    assert answers[0] == answers[1]
    assert answers[1][1] != answers[2][1]


def test_a_clock_that_was_set_back_makes_it_again(made_at):
    assert [made_at(0)[0], made_at(-1)[0]] == [0, -1]


def test_another_base_has_its_own(made_at):
    assert [made_at(0)[0], made_at(1, "another base")[0]] == [0, 1]
