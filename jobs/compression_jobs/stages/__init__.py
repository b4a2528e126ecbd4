"""The stages by name.

Owns the table of stages and nothing of what they do: modules are imported when their stage is asked for, as
each image holds only what its own stages need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidInput, Misconfigured

Stage = Callable[[StageContext[Any]], StageOutcome]
"""A stage: ``def run(context: StageContext[ResolveInput]) -> StageOutcome``."""

STAGES: Final[Mapping[str, str]] = {
    "resolve": "compression_jobs.stages.resolve:run",
    "preflight": "compression_jobs.stages.preflight:run",
    "distill": "compression_jobs.stages.distill:run",
    "ptq": "compression_jobs.stages.ptq:run",
    "qat": "compression_jobs.stages.qat:run",
    "evaluate": "compression_jobs.stages.evaluate:run",
    "package": "compression_jobs.stages.package:run",
    "scan": "compression_jobs.stages.scan:run",
    "probe": "compression_jobs.stages.probe:run",
    "prepare-data": "compression_jobs.stages.prepare_data:run",
    "prune": "compression_jobs.stages.prune:run",
    "report": "compression_jobs.stages.report:run",
    "train-teacher": "compression_jobs.stages.train_teacher:run",
}


def load(name: str) -> Stage:
    """Import a stage.

    Raises:
        InvalidInput: there is no such stage.
        Misconfigured: this image lacks what the stage needs.
    """
    if name not in STAGES:
        raise InvalidInput("StageUnknown", f"There is no stage {name!r}; choose one of {', '.join(STAGES)}.")
    module, function = STAGES[name].split(":")
    try:
        stage: Stage = getattr(import_module(module), function)
    except ImportError as error:
        raise Misconfigured(
            "WrongImage",
            f"This image cannot run stage {name} ({error}); check the images of the CompressionRuntime.",
        ) from error
    return stage
