"""Logs: one JSON object a line, on standard error and in a file that is kept with the run.

Owns the format. Must not decide what is worth saying.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from compression_jobs.redaction import Redactor

MAX_LOG_BYTES: Final = 8 * 1024 * 1024


class JSONLines(logging.Formatter):
    """A record as JSON: time, level, logger, message, the run's fields, and the record's own `fields`."""

    def __init__(self, redactor: Redactor, **run: str) -> None:
        super().__init__()
        self._redactor = redactor
        self._run = run

    def format(self, record: logging.LogRecord) -> str:
        """One line without its end."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._run,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return self._redactor.hide(json.dumps(entry, default=str, ensure_ascii=True))


def start(redactor: Redactor, file: Path | None, **run: str) -> None:
    """Send all logging through one formatter, replacing what an earlier call has set up.

    Args:
        redactor: hides the secrets.
        file: also write here, at most twice MAX_LOG_BYTES with what was rotated away; None writes no file.
        run: fields of every line: stage, namespace, name.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file is not None:
        handlers.append(RotatingFileHandler(file, maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(JSONLines(redactor, **run))
    # A full scratch volume must not fill standard error with the logger's own, unredacted tracebacks.
    logging.raiseExceptions = False
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    # botocore tells each retry at INFO; our own sentences say what came of it.
    for name in ("boto3", "botocore", "s3transfer", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
