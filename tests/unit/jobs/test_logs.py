"""Log lines: JSON, with the run's fields, without secrets."""

import json
import logging

import pytest

from compression_jobs.logs import JSONLines
from compression_jobs.redaction import Redactor

SECRET = "a-secret-value"


def _line(message: str, fields: dict | None = None, exc_info=None) -> dict:
    record = logging.LogRecord("compression_jobs.x", logging.INFO, "x.py", 1, message, (), exc_info)
    if fields is not None:
        record.fields = fields
    text = JSONLines(Redactor([SECRET]), stage="resolve", run="fmnist-1").format(record)
    assert len(text.splitlines()) == 1
    return json.loads(text)


def test_a_line_names_its_time_its_place_and_its_run():
    line = _line("done", {"samples": 3})

    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "compression_jobs.x",
        "message": "done",
        "stage": "resolve",
        "run": "fmnist-1",
        "samples": 3,
    }


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31m", "ünï\u2028cødé"])
def test_any_text_stays_on_one_line_of_ascii(text):
    assert _line(text)["message"] == text


def test_no_secret_gets_out_by_message_field_or_traceback():
    error = ValueError(f"refused {SECRET}")

    line = _line(f"key {SECRET}", {"key": SECRET}, (ValueError, error, None))

    assert SECRET not in json.dumps(line)
    assert "ValueError: refused [redacted]" in line["traceback"]
