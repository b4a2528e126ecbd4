"""Lists of records: lines of text, JSON.

Owns reading them with every size capped, and the comparison of their length with the manifest. Must not know
what a record means.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from compression_jobs.errors import InvalidData
from compression_jobs.readers.base import DatasetFacts
from compression_jobs.readers.problems import Unusable

MAX_LIST_BYTES: Final = 512 << 20
MAX_DOCUMENT_BYTES: Final = 256 << 20
"""Of one JSON document: it takes some ten times as much in memory."""
MAX_LINE_BYTES: Final = 1 << 20
_MALFORMED: Final = (ValueError, RecursionError)


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a list without their ends; empty ones are passed over.

    Raises:
        InvalidData: ListTooLarge, the file or one line.
    """
    _capped(path, MAX_LIST_BYTES)
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise _too_large(path, f"a line is longer than {MAX_LINE_BYTES} bytes")
            if line.strip():
                yield line.rstrip(b"\r\n")


def document(path: Path) -> Any:
    """A JSON document.

    Raises:
        InvalidData: ListTooLarge; DatasetInvalid, it is no JSON.
    """
    _capped(path, MAX_DOCUMENT_BYTES)
    try:
        return json.loads(path.read_bytes())
    except _MALFORMED as error:
        raise InvalidData("DatasetInvalid", f"{path.name} of the dataset is no JSON ({error}).") from error


def text(line: bytes) -> str:
    """A line as text.

    Raises:
        Unusable: it is no UTF-8.
    """
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise Unusable("the line is no UTF-8") from error


def json_object(line: bytes) -> dict[str, Any]:
    """A line of JSON lines.

    Raises:
        Unusable: it holds no JSON object.
    """
    try:
        found = json.loads(line)
    except _MALFORMED as error:
        raise Unusable("the line is no JSON") from error
    if not isinstance(found, dict):
        raise Unusable("the line is no JSON object")
    return found


def class_number(value: Any, facts: DatasetFacts) -> int:
    """A label, given as a number or as the name of a class.

    Raises:
        Unusable: there is no such class.
    """
    if isinstance(value, str) and value in facts.classes:
        return facts.classes.index(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < facts.num_classes:
        raise Unusable(f"{str(value)[:40]!r} is none of the {facts.num_classes} classes")
    return value


def require_count(path: Path, found: int, facts: DatasetFacts, split: str) -> None:
    """The manifest and the list must speak of as many records.

    Raises:
        InvalidData: DatasetInvalid.
    """
    if found != facts.splits[split]:
        raise InvalidData(
            "DatasetInvalid",
            f"{path.name} of the dataset lists {found} records, its manifest says {facts.splits[split]}; "
            "prepare it again.",
        )


def _capped(path: Path, limit: int) -> None:
    size = path.stat().st_size
    if size > limit:
        raise _too_large(path, f"it has {size} bytes, more than the {limit} allowed")


def _too_large(path: Path, why: str) -> InvalidData:
    return InvalidData("ListTooLarge", f"{path.name} of the dataset: {why}; divide it.")
