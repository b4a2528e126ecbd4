"""An author's own network and reader.

Owns when they are loaded, under which names the stages find them, and that an error inside of them is told as
theirs. Runs in training pods only, and only where the pod holds no credential.
"""

from __future__ import annotations

import logging
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from compression_contract.artifacts import ArtifactKind
from compression_jobs.context import StageContext
from compression_jobs.errors import InvalidData, Misconfigured
from compression_jobs.user_code import archive, entry_points
from compression_jobs.user_code.entry_points import EntryPoints

ARCHIVE: Final = "code.tar.gz"
_loaded: list[Path] = []

log = logging.getLogger(__name__)


class UserCodeFailed(InvalidData):
    """The author's code raised an error."""


def load(context: StageContext[Any]) -> None:
    """Load the code that the stage's input names, if any.

    Raises:
        Misconfigured: CodeNotIsolated, this process could reach the object store.
        InvalidData: CodeUnsafe, CodeUnreadable, CodeInvalid; and whatever the code raises.
    """
    reference = getattr(context.parameters, "code", None)
    if reference is None:
        return
    if context.inputs is None or context.storage is not None:
        raise Misconfigured(
            "CodeNotIsolated",
            "This pod would run an author's code beside the credentials of the store; it needs the "
            "containers fetch and store, and COMPRESSION_EXCHANGE.",
        )
    artifact = context.fetch(reference, ArtifactKind.CODE, only={ARCHIVE})
    folder = context.folder("code")
    archive.unpack(artifact.file(ARCHIVE), folder)
    use(folder, entry_points.of_facts(dict(artifact.manifest.facts)))


def use(folder: Path, points: EntryPoints) -> None:
    """Import what a folder offers, and let the stages find it.

    Raises:
        InvalidData: CodeInvalid; and whatever the code raises.
    """
    _loaded.append(folder)
    sys.dont_write_bytecode = True
    for part, point in points.wire().items():
        # Imported only here: networks load Paddle, which not every process that packs code has.
        import_module(f"{__name__}.{part}").register(entry_points.imported(folder, point))
    log.info("an author's code is in use", extra={"fields": {"entryPoints": points.wire()}})


def blame(error: BaseException) -> UserCodeFailed | None:
    """The author's own error, where one of the calls that led to it is in their code; None otherwise."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        for folder in _loaded:
            if Path(frame.filename).is_relative_to(folder):
                where = f"{Path(frame.filename).relative_to(folder)}:{frame.lineno}"
                last = traceback.format_exception_only(error)[-1].strip().splitlines()
                said = next((line.strip() for line in reversed(last) if line.strip()), type(error).__name__)
                return UserCodeFailed(
                    "UserCodeFailed", f"The author's code failed at {where}: {said[:300]}; correct spec.code."
                )
    return None
