"""The operator's process, wired: settings, logs, and the kinds with their decisions."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from pydantic import ValidationError

from compression_operator.cluster.credentials import NoCredentialsError
from compression_operator.cluster.errors import ApiError
from compression_operator.cluster.resources import OWN_KINDS
from compression_operator.cluster.sync import NotInstalledError
from compression_operator.controllers import controllers, follow
from compression_operator.process import Parts, StartError, run
from compression_operator.settings import PREFIX, Settings
from compression_operator.telemetry import logs

EXIT_CONFIG: Final = 78
"""The set-up is wrong, and trying again will not help (EX_CONFIG of sysexits.h)."""
EXIT_TEMPORARY: Final = 75
"""Something is not there yet; whoever supervises the process starts it again (EX_TEMPFAIL)."""


def main() -> int:
    """Run until a signal; the exit code."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = PREFIX + str(first["loc"][0]).upper()
        print(f"{name}: {first['msg']}", file=sys.stderr)  # noqa: T201 - there is no logging yet
        return EXIT_CONFIG
    logs.configure(settings.log_format, settings.log_level)
    try:
        keep = timedelta(seconds=settings.keep_finished_seconds)
        asyncio.run(run(settings, Parts(OWN_KINDS, partial(controllers, keep_finished=keep), follow)))
    except (StartError, NotInstalledError, NoCredentialsError) as error:
        structlog.get_logger(__name__).critical("cannot start", error=str(error))
        return EXIT_CONFIG
    except ApiError as error:
        structlog.get_logger(__name__).critical("cannot start yet", error=str(error))
        return EXIT_TEMPORARY
    return 0
