"""Which processor measures, whether it is the one that was asked for, and whether it was left alone.

Owns reading what the kernel says of it. Must not decide what a missing feature means.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from compression_contract.results import Node

CPUINFO: Final = Path("/proc/cpuinfo")
GOVERNOR: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
CPU_STATISTICS: Final = Path("/sys/fs/cgroup/cpu.stat")
_MODEL_KEYS: Final = ("model name", "cpu model", "Processor")
_FEATURE_KEYS: Final = ("flags", "Features")
_WORD: Final = 128
_GOVERNOR_WORD: Final = 32
_LISTED: Final = 16


def identify(required: Sequence[str], throttled: int = 0, cpuinfo: str | None = None) -> Node:
    """The processor's name, which of the required features it has, and what else decides its speed.

    Args:
        required: features as the kernel names them, for example avx512_vnni.
        throttled: periods in which it was held back while time was taken.
        cpuinfo: the content of /proc/cpuinfo; None reads it. Of several processors, a feature counts if all
            have it.
    """
    text = CPUINFO.read_text(encoding="utf-8") if cpuinfo is None else cpuinfo
    model = ""
    features: set[str] | None = None
    for line in text.splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in _MODEL_KEYS and not model:
            model = value
        if key in _FEATURE_KEYS:
            features = set(value.split()) if features is None else features & set(value.split())
    wanted = list(dict.fromkeys(required))
    return Node(
        cpu_model=(model or platform.machine())[:_WORD],
        features=tuple(name for name in wanted if name in (features or ()))[:_LISTED],
        missing=tuple(name for name in wanted if name not in (features or ()))[:_LISTED],
        cpus=len(os.sched_getaffinity(0)),
        governor=_read(GOVERNOR).strip()[:_GOVERNOR_WORD],
        throttled=throttled,
    )


def throttled(statistics: str | None = None) -> int:
    """Periods in which the CPU limit held this container back so far; 0 where there is none, or none is told.

    Args:
        statistics: the content of cgroup 2's cpu.stat; None reads this container's.
    """
    text = _read(CPU_STATISTICS) if statistics is None else statistics
    found = re.search(r"^nr_throttled ([0-9]+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
