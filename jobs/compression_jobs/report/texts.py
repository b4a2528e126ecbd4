"""How numbers are written on the page.

Owns units and rounding, one function each.
"""

from __future__ import annotations

NOTHING = "\N{EN DASH}"
"""Stands where there is no value."""


def number(value: float) -> str:
    """Four digits after the point for shares, three in all for larger values."""
    return f"{value:.4f}" if abs(value) < 1.5 else f"{value:.4g}"


def interval(low: float | None, high: float | None) -> str:
    """From low to high, or nothing."""
    return "" if low is None or high is None else f"{number(low)} {NOTHING} {number(high)}"


def milliseconds(value: float | None) -> str:
    """A latency."""
    return NOTHING if value is None else f"{value:.3g} ms"


def size(count: float | None) -> str:
    """Bytes in powers of ten, as registries and disks count."""
    if not count:
        return NOTHING
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float | None) -> str:
    """Hours, minutes and seconds, as many as are needed."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
