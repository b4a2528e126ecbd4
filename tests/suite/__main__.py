"""Run every tier in turn and say at the end how each went.

A later tier runs even if an earlier one failed, so that one run tells all there is to tell. The cluster that
the last tiers need is started here and left running, as `make cluster-up` would.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Tier:
    """One part of the suite: its name and the command that runs it."""

    name: str
    command: tuple[str, ...]


def pytest(*arguments: str) -> tuple[str, ...]:
    """A pytest call that names its slowest tests."""
    return (sys.executable, "-m", "pytest", "-q", "--durations=5", *arguments)


CORE = "operator/compression_operator/core"
TIERS = (
    Tier("lint", ("make", "--no-print-directory", "lint")),
    Tier(
        "unit and property",
        pytest("tests/unit", f"--cov={CORE}", "--cov-branch", "--cov-report=term", "--cov-fail-under=100"),
    ),
    Tier("chart", pytest("tests/chart")),
    Tier("component", pytest("tests/component")),
    Tier("API", pytest("tests/api")),
    Tier("cluster", pytest("tests/cluster_tests")),
    Tier("end to end", pytest("tests/e2e")),
)


def main() -> int:
    """Run the chosen tiers; 0 if all of them passed."""
    parser = argparse.ArgumentParser(prog="suite", description=__doc__)
    parser.add_argument("tiers", nargs="*", help=f"some of: {', '.join(tier.name for tier in TIERS)}")
    chosen = parser.parse_args().tiers or [tier.name for tier in TIERS]
    environment = {**os.environ, "PYTHONPATH": "tests:operator:jobs", "OMP_NUM_THREADS": "1"}
    console, rows = Console(), []
    for tier in (tier for tier in TIERS if tier.name in chosen):
        console.rule(tier.name)
        started = time.monotonic()
        code = subprocess.run(tier.command, cwd=ROOT, env=environment, check=False).returncode
        rows.append((tier.name, code, time.monotonic() - started))
    table = Table("tier", "result", "seconds")
    for name, code, seconds in rows:
        table.add_row(name, "passed" if code == 0 else f"failed ({code})", f"{seconds:.0f}")
    console.print(table)
    return int(any(code for _, code, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
