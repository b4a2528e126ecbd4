"""The operator with the toy kind in place of the real ones; tests run it as a program of its own."""

import asyncio
import sys

sys.modules["kubernetes"] = None  # type: ignore[assignment]

from api.engine import toy  # noqa: E402 - see compression_operator.__main__
from compression_operator.process import Parts, run  # noqa: E402
from compression_operator.settings import Settings  # noqa: E402
from compression_operator.telemetry import logs  # noqa: E402

if __name__ == "__main__":
    settings = Settings()
    logs.configure(settings.log_format, settings.log_level)
    asyncio.run(run(settings, Parts(kinds=(toy.CHAIN,), controllers=toy.controllers)))
