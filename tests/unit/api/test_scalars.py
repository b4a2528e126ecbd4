"""Durations and quantities as users write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from compression_operator.api.scalars import Quantity, Time, format_duration, parse_duration, parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("250ms", timedelta(milliseconds=250)),
        ("6.1ms", timedelta(microseconds=6100)),
        ("0s", timedelta()),
    ],
)
def test_a_duration_is_read(text, value):
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "24", "1d", "-5s", "5 s", "s", "1e3s", 5, None])
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="write it as 90s, 10m or 1h30m"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**9).map(lambda n: timedelta(milliseconds=n)))
def test_a_duration_written_and_read_again_is_the_same(value):
    assert parse_duration(format_duration(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12Mi", 12 * 1024**2),
        ("500m", Decimal("0.5")),
        ("1e3", 1000),
        ("1E3", 1000),
        ("2E", 2 * 10**18),
        ("1.5Gi", Decimal("1.5") * 1024**3),
        (".5", Decimal("0.5")),
        ("-1k", -1000),
        ("7", 7),
    ],
)
def test_a_quantity_is_a_number(text, value):
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "12MB", "1 Gi", "Mi", "1e", "0x10"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


def test_an_integer_is_a_quantity_too_as_yaml_gives_it():
    adapter = TypeAdapter(Quantity)
    assert adapter.validate_python(4) == "4"
    with pytest.raises(ValidationError):
        adapter.validate_python("4 cores")


def test_times_are_written_in_utc_with_a_z():
    adapter = TypeAdapter(Time)
    read = adapter.validate_python("2026-11-21T11:00:00+01:00")
    assert read == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert adapter.dump_python(read, mode="json") == "2026-11-21T10:00:00Z"
