"""Text that leaves the pod: without secrets, without control characters, no longer than it may be.

Owns the cleaning of messages and log lines. Must not know where the text goes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

MAX_MESSAGE: Final = 512
MIN_SECRET: Final = 6
"""Shorter values are no secrets worth the name, and hiding them would make every text unreadable."""

_SECRET_FILES: Final = frozenset({"secretAccessKey", "password"})
_SECRET_KEYS: Final = frozenset({"auth", "password", "identitytoken", "registrytoken"})
_HIDDEN: Final = "[redacted]"
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@]+@")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Redactor:
    """Hides the values of mounted Secrets, and what stands before the @ of an address."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({s for s in secrets if len(s) >= MIN_SECRET}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """The text with every secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _USERINFO.sub(f"{_HIDDEN}@", text)

    def sentence(self, text: str, limit: int = MAX_MESSAGE) -> str:
        """One printable line of at most `limit` characters, control and direction characters escaped."""
        line = _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", self.hide(text).strip())
        return line if len(line) <= limit else f"{line[: limit - 1]}…"


def mounted_secrets(folders: Iterable[Path]) -> Iterator[str]:
    """The secret values in mounted Secrets: keys, passwords and tokens, not user names or key ids.

    What cannot be read is skipped here; whoever needs it says so.
    """
    for folder in folders:
        for name in sorted(_SECRET_FILES):
            yield _text(folder / name)
        try:
            yield from _inside(json.loads(_text(folder / ".dockerconfigjson")))
        except ValueError:
            continue


def _inside(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        yield from _inside(inner)
        if key in _SECRET_KEYS and isinstance(inner, str):
            yield inner
            if key == "auth":
                yield _password(inner)


def _password(auth: str) -> str:
    try:
        return base64.b64decode(auth).decode(errors="replace").partition(":")[2]
    except binascii.Error:
        return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
