"""`python -m compression_serving`: settings, model, server. Wiring only."""

from __future__ import annotations

import logging
import os
import sys

from compression_contract.exitcodes import ExitCode
from compression_serving import model
from compression_serving.errors import ModelError, PredictionError
from compression_serving.metrics import Metrics
from compression_serving.server import serve
from compression_serving.service import Service
from compression_serving.settings import Settings


def main() -> int:
    """Serve the model of this image; returns the process's exit code."""
    try:
        settings = Settings.from_environment(os.environ)
        logging.basicConfig(
            level=settings.log_level.upper(),
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
            stream=sys.stdout,
        )
        service = Service(model.load(settings.model_folder), settings, Metrics())
        service.warm_up()
        serve(service)
    except (ModelError, PredictionError) as error:
        sys.stderr.write(f"cannot serve: {error}\n")
        return ExitCode.CONFIG
    return ExitCode.SUCCESS


if __name__ == "__main__":
    sys.exit(main())
