"""A probe's answer, for those who only ask whether there is one.

Owns a narrow view of `outcomes` for children that are repeated by their own rules. Must not judge the facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compression_contract.results import StageResult
from compression_operator.core.observed import ChildJob
from compression_operator.core.outcomes import Expected, Going, Succeeded, outcome_of


@dataclass(frozen=True, slots=True)
class Reading:
    """How a child ended: with a valid result, or with a reason why there is none."""

    result: StageResult | None
    reason: str = ""
    message: str = ""


def read_result(child: ChildJob, stage: Literal["probe"] = "probe") -> Reading | None:
    """The end of a child that stores nothing; None while it is still going."""
    outcome = outcome_of(child, Expected(child.input_hash, stage, artifact=False), queued=False)
    if isinstance(outcome, Going):
        return None
    if isinstance(outcome, Succeeded):
        return Reading(outcome.result)
    return Reading(None, outcome.reason, outcome.message)
