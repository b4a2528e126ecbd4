"""The input document: what the operator tells this process to do.

Owns reading it with a size cap and checking it against the contract. Must not act on it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from compression_contract.inputs import StageInput
from compression_contract.keys import MAX_INPUT_BYTES
from compression_jobs.errors import InvalidInput, first_problem

UNKNOWN_HASH: Final = f"sha256:{'0' * 64}"
"""Stands in the result of a process whose input could not be read."""


def read(path: Path, stage: str | None = None) -> StageInput:
    """Read and check the input document.

    Args:
        path: of the document.
        stage: which it must be for; None for those who serve any stage.

    Raises:
        InvalidInput: InputUnreadable, InputTooLarge, InputInvalid, StageMismatch.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_INPUT_BYTES + 1)
    except OSError as error:
        raise InvalidInput(
            "InputUnreadable", f"The input {path} cannot be read ({error.strerror})."
        ) from error
    if len(data) > MAX_INPUT_BYTES:
        raise InvalidInput("InputTooLarge", f"The input {path} is larger than {MAX_INPUT_BYTES} bytes.")
    try:
        document = StageInput.model_validate_json(data)
    except ValidationError as error:
        raise InvalidInput("InputInvalid", f"{path} is not valid: {first_problem(error)}.") from error
    if stage is not None and document.parameters.stage != stage:
        raise InvalidInput(
            "StageMismatch", f"The input {path} is for stage {document.parameters.stage}, not for {stage}."
        )
    return document


def claimed_hash(path: Path) -> str:
    """The input's hash, even where the rest of the document is not valid; for the failure's result."""
    try:
        with path.open("rb") as file:
            claimed = json.loads(file.read(MAX_INPUT_BYTES)).get("inputHash", "")
    except (OSError, ValueError, AttributeError):
        return UNKNOWN_HASH
    return claimed if re.fullmatch(r"sha256:[a-f0-9]{64}", str(claimed)) else UNKNOWN_HASH
