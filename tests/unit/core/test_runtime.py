"""The only thing said of a CompressionRuntime: whether its parts fit together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from compression_operator.api import CompressionRuntime
from compression_operator.core.observed import Identity
from compression_operator.core.runtime import ObservedRuntime, decide
from support.manifests import changed, runtime

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVALUATORS = [
    {
        "name": "onnxruntime",
        "image": runtime()["spec"]["tools"]["image"],
        "formats": ["ONNX"],
        "metrics": ["top1"],
    }
]


def seen(generation: int = 3, status: Any = None, **changes: Any) -> ObservedRuntime:
    wanted = changed(runtime(), {key.replace("__", "."): value for key, value in changes.items()})
    parsed = CompressionRuntime.parse({**wanted, "status": status or {}})
    identity = Identity("", "default", "uid", generation, "1", NOW)
    return ObservedRuntime(identity, parsed.spec, parsed.status)


def valid(observed: ObservedRuntime) -> dict[str, Any]:
    status = decide(observed, NOW).status
    assert status is not None
    (condition,) = status["conditions"]
    assert condition["type"] == "Valid"
    return dict(condition)


def test_a_runtime_whose_parts_fit_is_valid() -> None:
    assert valid(seen())["status"] == "True"
    assert valid(seen())["observedGeneration"] == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"spec__defaults__servingBase": "ghost"}, "ghost, which is none of spec.servingBases"),
        (
            {"spec__defaults__evaluation__targets": [{"name": "t", "runtime": "ghost", "format": "ONNXQDQ"}]},
            "names no evaluator: ghost",
        ),
        ({"spec__evaluators": EVALUATORS}, "does not read ONNXQDQ"),
    ],
)
def test_a_default_that_names_nothing_is_said_by_name(changes: dict[str, Any], sentence: str) -> None:
    condition = valid(seen(**changes))
    assert (condition["status"], condition["reason"]) == ("False", "Inconsistent")
    assert sentence in condition["message"]


def test_deciding_again_changes_nothing() -> None:
    first = decide(seen(), NOW).status
    later = decide(seen(status=first), datetime(2027, 1, 1, tzinfo=UTC))
    assert later.status == first
    assert (later.actions, later.notices, later.wake_at) == ((), (), None)
