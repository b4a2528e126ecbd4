"""SemVer ranges as an author writes them: ``>=1.0.0 <2.0.0``.

Owns the reading of a range: comparators separated by blanks, all of which must hold. Precedence is that of
SemVer 2.0.0 (the `semver` package). Must not know what is versioned.
"""

from __future__ import annotations

import re

from semver import Version

_COMPARATOR = re.compile(r"^(>=|<=|>|<|==|!=)?(\S+)$")


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version lies within a range; something that is no SemVer lies within none."""
    if not Version.is_valid(version):
        return False
    parsed = Version.parse(version)
    return all(_holds(parsed, comparator) for comparator in wanted.split())


def _holds(version: Version, comparator: str) -> bool:
    found = _COMPARATOR.match(comparator)
    if found is None or not Version.is_valid(found[2]):
        return False
    return version.match(f"{found[1] or '=='}{found[2]}")
