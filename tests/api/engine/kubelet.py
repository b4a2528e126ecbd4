"""A kubelet without a node: it ends the pods of stages with the results they should have, and runs others.

It is a client of the API server like any other; the operator cannot tell it from the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from compression_contract.inputs import ProbeInput, StageInput
from compression_contract.keys import ANNOTATION_INPUT
from compression_contract.results import ProbeFacts, StageResult, SubjectReport
from compression_operator.cluster.client import Client
from compression_operator.cluster.errors import ApiError
from compression_operator.cluster.resources import POD
from unit.core.compression import facts

Script = Callable[[StageInput], StageResult]


def good(given: StageInput) -> StageResult:
    """Every stage succeeds, and every pod answers as it should."""
    if not isinstance(given.parameters, ProbeInput):
        return facts.result_for(given)
    asked = given.parameters
    return StageResult(
        input_hash=given.input_hash,
        facts=ProbeFacts(
            passes=len(asked.subjects),
            failures=0,
            subjects=tuple(_answer(subject.name) for subject in asked.subjects),
            live=tuple(_answer(subject.name) for subject in asked.live),
        ),
    )


def _answer(name: str) -> SubjectReport:
    return SubjectReport(name=name, top1_agreement=1.0)


class Kubelet:
    """Looks at all pods of a namespace in short turns."""

    def __init__(self, client: Client, namespace: str, script: Script = good) -> None:
        self._client = client
        self._namespace = namespace
        self._script = script
        self._done: set[str] = set()

    async def run(self) -> None:
        """Play until cancelled."""
        while True:
            async for page in self._client.pages(POD, self._namespace):
                for pod in page["items"]:
                    await self._serve(pod)
            await asyncio.sleep(0.1)

    async def _serve(self, pod: dict[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        text = (pod["metadata"].get("annotations") or {}).get(ANNOTATION_INPUT)
        if uid in self._done:
            return
        status = self._running(pod) if text is None else self._ended(StageInput.model_validate_json(text))
        try:
            await self._client.patch_status(POD, self._namespace, pod["metadata"]["name"], {"status": status})
        except ApiError:
            return
        self._done.add(uid)

    def _ended(self, given: StageInput) -> dict[str, Any]:
        message = self._script(given).model_dump_json(by_alias=True, exclude_none=True)
        ended = {"exitCode": 0, "reason": "Completed", "message": message, "finishedAt": _now()}
        return {"phase": "Succeeded", "containerStatuses": [_box("stage", "x", {"terminated": ended})]}

    def _running(self, pod: dict[str, Any]) -> dict[str, Any]:
        boxes = [
            _box(box["name"], box["image"], {"running": {"startedAt": _now()}}, ready=True)
            for box in pod["spec"]["containers"]
        ]
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": _now()}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ]
        return {
            "phase": "Running",
            "podIP": f"10.9.{len(self._done) // 250}.{len(self._done) % 250 + 1}",
            "conditions": conditions,
            "containerStatuses": boxes,
        }


def _box(name: str, image: str, state: dict[str, Any], *, ready: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "imageID": image,
        "ready": ready,
        "restartCount": 0,
        "state": state,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
