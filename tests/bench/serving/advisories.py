"""What is known against the packages of an environment.

Owns reading the Python Packaging Advisory Database (github.com/pypa/advisory-database, in the OSV format)
from a folder, and counting. A scanner of images asks the same data; here no image needs to be built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Findings:
    """Advisories about the packages of an environment."""

    open: int
    """Those that name an installed version."""
    ever: int
    """Those that name an installed package in whatever version: how often it has had to be patched."""


@cache
def _known(folder: Path, package: str) -> tuple[frozenset[str], ...]:
    """The versions that each advisory about a package names; withdrawn advisories are left out."""
    found = []
    for path in sorted((folder / "vulns" / package).glob("*.yaml")):
        advisory = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "withdrawn" not in advisory:
            versions = (one for affected in advisory["affected"] for one in affected.get("versions", ()))
            found.append(frozenset(versions))
    return tuple(found)


def of(site: Path, folder: Path) -> Findings:
    """Count for every distribution in a site-packages folder."""
    matching = ever = 0
    for place in site.glob("*.dist-info"):
        name, version = place.name.removesuffix(".dist-info").rsplit("-", 1)
        # PEP 503: the name that indexes and the database go by.
        advisories = _known(folder, re.sub(r"[-_.]+", "-", name).lower())
        ever += len(advisories)
        matching += sum(version in versions for versions in advisories)
    return Findings(matching, ever)
