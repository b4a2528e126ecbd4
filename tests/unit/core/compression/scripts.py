"""Scripts of pods: who fails, how, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compression_contract.inputs import StageInput
from compression_contract.results import StageResult
from support.manifests import Manifest, changed, minimal_job
from unit.core.compression import facts
from unit.core.compression.world import Ending, Key, Script, good

TEACHER = {"name": "large", "uri": "s3://team-a/teachers/rn50"}
STORED = {"uri": "s3://team-a/models/float", "digest": "sha256:" + "cd" * 32, "format": "PaddleParams"}
PTQ = {"name": "ptq", "type": "PTQ", "ptq": {}}
QAT = {"name": "qat", "type": "QAT", "when": {"unmet": ["ptq"]}, "qat": {}}
FLOOR = {"name": "floor", "type": "Metric", "metric": {"name": "top1", "min": 0.85}}


def distilled(**changes: Any) -> Manifest:
    """A job with a teacher and the default plan; `spec__a__b=x` sets spec.a.b."""
    return _with(changed(minimal_job(), {"spec.teachers": [TEACHER]}), changes)


def stored(**changes: Any) -> Manifest:
    """A job that quantises a stored float model: PTQ, and QAT if PTQ missed."""
    steps = {"spec.student": STORED, "spec.pipeline.steps": [PTQ, QAT]}
    return _with(changed(minimal_job(), steps), changes)


def _with(manifest: Manifest, changes: Mapping[str, Any]) -> Manifest:
    return changed(manifest, {path.replace("__", "."): value for path, value in changes.items()})


def fails(stage: str, ending: Ending, times: int = 1, then: Script = good) -> Script:
    """The first `times` attempts of a stage end badly; all else follows `then`."""

    def script(key: Key, given: StageInput) -> Ending | StageResult | None:
        return ending if key.stage == stage and key.attempt < times else then(key, given)

    return script


def reports(stage: str, code: int, reason: str, message: str = "it went wrong", times: int = 99) -> Script:
    """A stage that reports a failure of its own and exits with a code."""

    def script(key: Key, given: StageInput) -> Ending | StageResult | None:
        if key.stage != stage or key.attempt >= times:
            return good(key, given)
        said = facts.failure(given, reason, message).model_dump_json(by_alias=True, exclude_none=True)
        return Ending(code, said, "Error")

    return script


def measures(**by_step: Any) -> Script:
    """Evaluations by step: what `facts.evaluation` is called with."""

    def script(key: Key, given: StageInput) -> Ending | StageResult | None:
        if key.stage == "evaluate" and key.step in by_step:
            return facts.result_for(given, facts.evaluation(target=key.target, **by_step[key.step]))
        return good(key, given)

    return script


def says(stage: str, told: Any) -> Script:
    """A stage whose facts are those given."""

    def script(key: Key, given: StageInput) -> Ending | StageResult | None:
        return facts.result_for(given, told) if key.stage == stage else good(key, given)

    return script
