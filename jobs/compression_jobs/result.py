"""The few bytes that a pod's termination message has room for.

Owns encoding a stage's result and reading one that an earlier attempt recorded. Must not judge it.
"""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError

from compression_contract.base import canonical_json
from compression_contract.keys import MAX_RESULT_BYTES
from compression_contract.results import Failure, StageResult
from compression_jobs.errors import Defect, StageError
from compression_jobs.redaction import Redactor

RESULT_NAME: Final = "result.json"


def encode(result: StageResult) -> bytes:
    """The result as it travels.

    Raises:
        Defect: ResultTooLarge; a stage's facts must fit by construction.
    """
    data = canonical_json(result.wire())
    if len(data) > MAX_RESULT_BYTES:
        raise Defect(
            "ResultTooLarge",
            f"The stage's result takes {len(data)} bytes, more than {MAX_RESULT_BYTES}.",
        )
    return data


def failure(error: StageError, redactor: Redactor) -> Failure:
    """What a termination message says of an error; it always fits, even where all of it is escaped."""
    return Failure(reason=error.reason, message=redactor.sentence(error.message))


def decode(data: bytes) -> StageResult | None:
    """A recorded result, or None where the bytes are none."""
    try:
        return StageResult.model_validate_json(data)
    except ValidationError:
        return None
