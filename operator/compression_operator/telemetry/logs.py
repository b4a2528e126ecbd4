"""Structured logs: one JSON object a line, with the key of the object at hand in every one of them.

Owns the format, for our own lines and those of the libraries.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import orjson
import structlog

_QUIET = {
    # kopf says "Handler … succeeded" for each event at INFO: a line an event, and half its CPU.
    "kopf.objects": logging.WARNING,
    "kopf.activities": logging.WARNING,
    "kopf._core.engines.activities": logging.WARNING,
    "aiohttp.access": logging.WARNING,
}


def configure(style: Literal["json", "text"], level: str) -> None:
    """Send all logs of the process to standard output."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]
        if style == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=())],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def _dumps(value: Any, default: Any = str, **_: Any) -> str:
    return orjson.dumps(value, default=default).decode()
