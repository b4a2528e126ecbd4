"""Checked strings and numbers that more than one kind uses, each with the pattern the CRD carries.

Owns patterns, lengths and the reading of durations and quantities. Knows no kind.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from compression_operator.api.base import Rule

DIGEST_PATTERN = r"^sha256:[a-f0-9]{64}$"
DNS_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
IMAGE_PATTERN = r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[a-f0-9]{64}$"
REPOSITORY_PATTERN = r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$"
S3_PATTERN = r"^s3://[a-z0-9.-]{3,63}/[A-Za-z0-9._/=-]{1,512}$"
SEMVER_PATTERN = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"
# Bounded digits and terms: without them CEL's duration() overflows into a message nobody understands.
DURATION_PATTERN = r"^([0-9]{1,5}(ms|s|m|h)){1,4}$"
QUANTITY_PATTERN = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)

_TERM = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_DURATION = re.compile(rf"({_TERM.pattern}){{1,4}}")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
_QUANTITY_FACTORS: dict[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)},
}


def parse_duration(value: Any) -> timedelta:
    """Read `1h30m`, `10s`, `250ms`, and what the operator itself writes, such as `6.1ms`.

    Raises:
        ValueError: not a duration of this form.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(f"{value!r} is not a duration: write it as 90s, 10m or 1h30m")
    return sum((float(number) * _UNITS[unit] for number, unit in _TERM.findall(value)), timedelta())


def format_duration(value: timedelta) -> str:
    """Write a duration in its shortest form, largest unit first: `1h30m`."""
    rest, parts = value, []
    for unit in ("h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_quantity(value: str) -> Decimal:
    """The number a Kubernetes quantity stands for: `12Mi` is 12582912, `500m` is 0.5.

    Raises:
        ValueError: not a quantity.
    """
    if not re.match(QUANTITY_PATTERN, value):
        raise ValueError(f"{value!r} is not a quantity: write it as 500m, 2, 12Mi or 1e3")
    number, suffix = re.match(r"^([+-]?[0-9.]+)(.*)$", value).groups()  # type: ignore[union-attr]
    if suffix[:1] in ("e", "E") and len(suffix) > 1:
        return Decimal(value)
    return Decimal(number) * _QUANTITY_FACTORS[suffix]


def _checked_quantity(value: str) -> str:
    parse_quantity(value)
    return value


def _to_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _format_time(value: datetime) -> str:
    return value.isoformat(timespec="microseconds" if value.microsecond else "seconds").replace("+00:00", "Z")


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": 32, "pattern": DURATION_PATTERN}),
]
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value),
    AfterValidator(_checked_quantity),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 32,
            "pattern": QUANTITY_PATTERN,
        }
    ),
]
"""A Kubernetes quantity as text; `parse_quantity` gives its number."""

Time = Annotated[
    datetime,
    AfterValidator(_to_utc),
    PlainSerializer(_format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 64}),
]

Digest = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN, max_length=71)]
ImageRef = Annotated[
    str,
    StringConstraints(pattern=IMAGE_PATTERN, max_length=400),
    Rule(
        "self.contains('@sha256:')",
        "give the image by digest, as registry/name@sha256:<64 hex digits>, not by tag: a tag can move",
    ),
]
Repository = Annotated[
    str,
    StringConstraints(pattern=REPOSITORY_PATTERN, max_length=255),
    Rule(
        "!self.contains('@') && !self.matches('/[^/]*:[^/]*$')",
        "give the repository alone, as registry/name: without tag and without digest",
    ),
]
SemVer = Annotated[str, StringConstraints(pattern=SEMVER_PATTERN, max_length=64)]
S3URI = Annotated[
    str,
    StringConstraints(pattern=S3_PATTERN, max_length=580),
    Rule("!self.contains('..')", "must not contain '..': write the plain path"),
]
Label20 = Annotated[str, StringConstraints(pattern=DNS_PATTERN, min_length=1, max_length=20)]
Label40 = Annotated[str, StringConstraints(pattern=DNS_PATTERN, min_length=1, max_length=40)]
Label63 = Annotated[str, StringConstraints(pattern=DNS_PATTERN, min_length=1, max_length=63)]
StepName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,11}$", min_length=1, max_length=12)]
MetricName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.@-]{0,31}$", min_length=1, max_length=32)
]
PartName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", min_length=1, max_length=63)]
"""The name of a network architecture, a reader or a layer's owner."""
LayerName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Count = Annotated[int, Field(ge=0, le=2**53)]
"""A number of bytes, samples or generations; JSON keeps integers up to 2^53 exactly."""
Number = Annotated[str, StringConstraints(max_length=32)]
"""A measured number as text, so that no reader rounds it."""
