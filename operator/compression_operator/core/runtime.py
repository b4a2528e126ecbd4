"""The decision about a CompressionRuntime: whether jobs can be run with it.

Owns the checks that tie its parts together, which the CRD's schema does not make. A runtime that fails one of
them is not refused, as it was stored already; it says so, and jobs that need the missing part fail by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from compression_operator.api.compressionruntime import CompressionRuntimeSpec, CompressionRuntimeStatus
from compression_operator.core.actions import Decision
from compression_operator.core.conditions import Conditions
from compression_operator.core.observed import Identity


@dataclass(frozen=True, slots=True)
class ObservedRuntime:
    """One CompressionRuntime."""

    identity: Identity
    spec: CompressionRuntimeSpec
    status: CompressionRuntimeStatus


def problems(spec: CompressionRuntimeSpec) -> list[str]:
    """What does not fit together, a sentence each; empty if all does."""
    found = []
    base = spec.defaults.serving_base
    if base and spec.serving_base(base) is None:
        found.append(f"defaults.servingBase names {base}, which is none of spec.servingBases")
    for target in spec.defaults.evaluation.targets:
        evaluator = spec.evaluator(target.runtime)
        if evaluator is None:
            found.append(f"defaults.evaluation target {target.name} names no evaluator: {target.runtime}")
        elif target.format not in evaluator.formats:
            found.append(f"evaluator {evaluator.name} does not read {target.format} of target {target.name}")
    return found


def decide(observed: ObservedRuntime, now: datetime) -> Decision:
    """The runtime's only condition, Valid."""
    generation = observed.identity.generation
    found = problems(observed.spec)
    conditions = Conditions(observed.status.conditions, generation, now).set(
        "Valid",
        "False" if found else "True",
        "Inconsistent" if found else "Consistent",
        "; ".join(found) or "every image is pinned and every default names something that is there",
    )
    status = observed.status.model_copy(
        update={"observed_generation": generation, "conditions": conditions.items}
    )
    return Decision(status=status.to_dict())
