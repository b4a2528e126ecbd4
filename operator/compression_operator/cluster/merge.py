"""JSON merge patches that turn one value into another.

Owns RFC 7386 in the one direction that a status write needs: what has to be sent so that the whole new
status, and nothing of the old one, is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes `after` of `before`: removed keys are null, equal ones absent, lists sent whole.

    `after` holds no null: a merge patch cannot say it.
    """
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, wanted in after.items():
        present = before.get(key)
        if key in before and present == wanted:
            continue
        if isinstance(present, Mapping) and isinstance(wanted, Mapping):
            patch[key] = merge_patch(present, wanted)
        else:
            patch[key] = wanted
    return patch
