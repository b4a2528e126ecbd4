"""Whether a job may run as it stands.

Owns the order of the two questions: does the plan make sense, and does the runtime let it run. What a runtime
could still grant waits (NotAllowed); what only another job could change ends the job (PlanInvalid).
"""

from __future__ import annotations

from dataclasses import dataclass

from compression_operator.core.compression.grants import Applicant, missing
from compression_operator.core.compression.observed import Runtime
from compression_operator.core.compression.validity import problems
from compression_operator.core.compression.words import Why


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a job does not run; a permanent one ends it, any other waits for the runtime to change."""

    reason: Why
    message: str

    @property
    def permanent(self) -> bool:
        """Whether nothing but another job can help."""
        return self.reason is Why.PLAN_INVALID


def refusal(applicant: Applicant, runtime: Runtime) -> Refusal | None:
    """The first thing that stands against the job, or None. Permanent ones are named first."""
    invalid = next(problems(applicant.plan), None)
    if invalid is not None:
        return Refusal(Why.PLAN_INVALID, invalid)
    forbidden = next(missing(applicant, runtime.spec), None)
    return None if forbidden is None else Refusal(Why.NOT_ALLOWED, f"{forbidden} (runtime {runtime.name})")
