"""Starts a real Trivy server over a small database made for the test."""

import datetime as dt
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.neighbours.advisories import bolt
from component.serving.server_process import free_port
from compression_jobs.trivy import find_program

CRITICAL, LOW_UNFIXED, HIGH, NOT_AFFECTED = (f"CVE-0000-{number:04d}" for number in range(1, 5))
"""Not real vulnerabilities: there was no year 0."""

UPDATED = dt.datetime(2026, 11, 22, 10, 0, tzinfo=dt.UTC)


@dataclass(frozen=True)
class RunningTrivy:
    url: str
    log: Path


def _json(document: dict) -> bytes:
    return json.dumps(document).encode()


def _severity(name: str, level: int) -> bytes:
    return _json({"Title": f"test entry {name}", "Severity": name, "VendorSeverity": {"debian": level}})


def write_database(folder: Path) -> None:
    """A trivy-db of version 2 that knows four vulnerabilities of Debian 12."""
    (folder / "db").mkdir(parents=True)
    source = {"ID": "debian", "Name": "test entries", "URL": "https://www.debian.org/security/"}
    tree = {
        "data-source": {"debian 12": _json(source)},
        "debian 12": {
            "zlib": {CRITICAL: _json({"FixedVersion": "1:99.0-1"})},
            "bash": {
                LOW_UNFIXED: _json({"Status": 2, "Severity": 1}),
                NOT_AFFECTED: _json({"FixedVersion": "0.1-1"}),
            },
            "openssl": {HIGH: _json({"FixedVersion": "99.0-1"})},
        },
        "vulnerability": {
            CRITICAL: _severity("CRITICAL", 4),
            LOW_UNFIXED: _severity("LOW", 1),
            HIGH: _severity("HIGH", 3),
            NOT_AFFECTED: _severity("HIGH", 3),
        },
    }
    bolt.write(folder / "db/trivy.db", tree)
    stamp = UPDATED.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {"Version": 2, "UpdatedAt": stamp, "DownloadedAt": stamp, "NextUpdate": "2099-01-01T00:00:00Z"}
    (folder / "db/metadata.json").write_text(json.dumps(metadata))


@contextmanager
def trivy_server(folder: Path) -> Iterator[RunningTrivy]:
    write_database(folder / "cache")
    address = f"127.0.0.1:{free_port()}"
    log = folder / "trivy.log"
    arguments = ["server", "--cache-dir", str(folder / "cache"), "--skip-db-update", "--listen", address]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [find_program(), *arguments], stdout=output, stderr=output, cwd=folder, env={"HOME": str(folder)}
        )
    try:
        _wait(f"http://{address}/healthz", process, log)
        yield RunningTrivy(f"http://{address}", log)
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(400):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5)
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"no Trivy at {url}: {log.read_text()}")
