"""Which processor measures, and whether it is the one that was asked for.

Owns reading /proc/cpuinfo. Must not decide what a missing feature means.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from compression_contract.results import Node

CPUINFO: Final = Path("/proc/cpuinfo")
_MODEL_KEYS: Final = ("model name", "cpu model", "Processor")
_FEATURE_KEYS: Final = ("flags", "Features")
_WORD: Final = 128
_LISTED: Final = 16


def identify(required: Sequence[str], cpuinfo: str) -> Node:
    """The processor's name and which of the required features it has.

    Args:
        required: features as the kernel names them, for example avx512_vnni.
        cpuinfo: the content of /proc/cpuinfo; of several processors, a feature counts if all have it.
    """
    model = ""
    features: set[str] | None = None
    for line in cpuinfo.splitlines():
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
    )
