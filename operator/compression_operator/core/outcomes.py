"""What became of one attempt: from a child Job and its pod to a result, a failure, or "still going".

Owns the reading of an ended container, which is data from outside. Must not decide what happens next (see
`compression.retries`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from compression_contract.exitcodes import SIGTERM_CODE, ExitClass, ExitCode, classify
from compression_contract.keys import MAX_RESULT_BYTES
from compression_contract.results import StageResult
from compression_operator.core.conditions import clip
from compression_operator.core.observed import ChildJob, PodView, Terminated

KUBELET_OUT_OF_MEMORY: Final = "OOMKilled"
REPORTED_OUT_OF_MEMORY: Final = "OutOfMemory"
"""The reason a stage reports when a process of its own was killed: there the kubelet says just Error."""
DISRUPTED_BY_POLICY: Final = "PodFailurePolicy"
SECRET_NOT_USABLE: Final = "CreateContainerConfigError"  # noqa: S105 - the kubelet's word
MAX_MESSAGE: Final = 512
UNKNOWN_HASH: Final = f"sha256:{'0' * 64}"
"""The input hash of a failure that happened before the input could be read."""
_LAST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Going:
    """The attempt has not ended; `started` tells a running container from a pod that still waits for one."""

    started: bool
    why: str = ""
    """What it waits for, in the scheduler's or the kubelet's words."""
    message: str = ""
    since: datetime | None = None
    """When the waiting began; None while a queue holds the Job back, which counts against nobody."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The attempt ended well and said so in a valid result."""

    result: StageResult
    finished: datetime | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt ended otherwise."""

    kind: ExitClass
    reason: str
    message: str
    exit_code: int | None = None
    finished: datetime | None = None
    typed: bool = False
    """The reason is a word of the stage's own or of the core, not one of the kubelet's."""


Outcome = Going | Succeeded | Failed


@dataclass(frozen=True, slots=True)
class Expected:
    """What a valid result of the attempt must carry."""

    input_hash: str
    stage: str
    artifact: bool
    """The stage stores something, so its result must name it."""


def outcome_of(child: ChildJob, expected: Expected, *, queued: bool) -> Outcome:
    """Read a child. `queued`: a queue may hold the Job back before it makes its pods.

    Where several pods train together, the first one's result is that of the attempt, and any pod's failure
    is that of the attempt, told once the others have ended too: they still write where the next one reads.
    """
    if child.lost:
        return _lost(f"Job {child.name} was deleted before its result was read")
    pods = _newest([pod for pod in child.pods if pod.owner_uid == child.uid])
    if not pods:
        return _without_pod(child, queued=queued)
    outcomes = {pod.rank: _of_pod(child, pod, expected) for pod in pods}
    first = outcomes.get(0)
    if isinstance(first, Succeeded):
        return first
    going = [found for found in outcomes.values() if isinstance(found, Going)]
    failed = [found for found in outcomes.values() if isinstance(found, Failed)]
    if not failed:
        return min(going, key=lambda found: found.started) if going else _without_pod(child, queued=queued)
    if any(found.started for found in going):
        return Going(started=True)
    return min(failed, key=_when)


def _of_pod(child: ChildJob, pod: PodView, expected: Expected) -> Outcome | None:
    """One pod's end; None: it did its part, and the result is another's to tell."""
    if pod.terminated is not None:
        if pod.rank > 0 and pod.terminated.exit_code == ExitCode.SUCCESS:
            return None
        ended = _ended(pod, pod.terminated, expected)
        if child.deleting and isinstance(ended, Failed):
            return _lost(f"Job {child.name} was deleted while it ran")
        return ended
    if pod.phase == "Failed" or pod.disrupted:
        return Failed(
            ExitClass.DISRUPTION, "Disrupted", f"pod {pod.name} was taken off node {pod.node or '?'}"
        )
    if pod.phase == "Pending" and pod.started is None:
        return _waiting(child, pod)
    return Going(started=True)


def _newest(pods: list[PodView]) -> list[PodView]:
    """The newest pod of each rank."""
    # A pod without a creation time is one that the cluster layer has only just seen: the newest of all.
    ordered = sorted(pods, key=lambda pod: (pod.created or _LAST, pod.name))
    return list({pod.rank: pod for pod in ordered}.values())


def _when(failed: Failed) -> tuple[bool, datetime]:
    """Who failed first; one that was asked to end comes last, as another's failure made it so."""
    return failed.exit_code == SIGTERM_CODE, failed.finished or _LAST


def _lost(message: str) -> Failed:
    return Failed(ExitClass.CHILD_LOST, "ChildLost", message)


def _without_pod(child: ChildJob, *, queued: bool) -> Outcome:
    if child.failed and child.failed_reason == DISRUPTED_BY_POLICY:
        return Failed(ExitClass.DISRUPTION, "Disrupted", clip(child.failed_message, MAX_MESSAGE))
    if child.complete or child.failed:
        return _lost(f"Job {child.name} has ended and its pod is gone, with the result in it")
    if queued:
        return Going(started=False, why="Queued", message="waits in its queue")
    return Going(started=False, why="PodMissing", message="has no pod yet", since=child.created)


def _waiting(child: ChildJob, pod: PodView) -> Going:
    if not pod.scheduled or pod.unschedulable_message:
        return Going(
            started=False,
            why="Unschedulable",
            message=clip(pod.unschedulable_message or "no node has been found yet", MAX_MESSAGE),
            since=child.created,
        )
    return Going(
        started=False,
        why=pod.waiting_reason or "ContainerCreating",
        message=clip(pod.waiting_message, MAX_MESSAGE),
        since=child.created,
    )


def _ended(pod: PodView, end: Terminated, expected: Expected) -> Outcome:
    if end.exit_code == ExitCode.SUCCESS:
        return _result_of(end, expected)
    said = _parsed(end.message)
    # A stage that cannot read its input does not know its hash either.
    known = (expected.input_hash, UNKNOWN_HASH)
    failure = said.failure if isinstance(said, StageResult) and said.input_hash in known else None
    reason = failure.reason if failure else end.reason or "Error"
    message = clip(failure.message if failure else f"exit code {end.exit_code}", MAX_MESSAGE)
    if end.reason == KUBELET_OUT_OF_MEMORY or reason == REPORTED_OUT_OF_MEMORY:
        kind, reason = ExitClass.OUT_OF_MEMORY, REPORTED_OUT_OF_MEMORY
    elif pod.disrupted:
        kind, reason = ExitClass.DISRUPTION, "Disrupted"
    else:
        kind = classify(end.exit_code)
    typed = failure is not None or kind is ExitClass.OUT_OF_MEMORY
    return Failed(kind, reason, message, end.exit_code, end.finished, typed)


def _result_of(end: Terminated, expected: Expected) -> Outcome:
    said = _parsed(end.message)
    if isinstance(said, StageResult):
        problem = _mismatch(said, expected)
        if not problem:
            return Succeeded(said, end.finished)
        said = ("ResultMismatch", problem)
    reason, message = said
    return Failed(ExitClass.RETRYABLE, reason, message, end.exit_code, end.finished)


def _parsed(message: str) -> StageResult | tuple[str, str]:
    """The result, or why there is none as (reason, message)."""
    if not message.strip():
        return "ResultMissing", "the container ended without a result"
    if len(message.encode()) > MAX_RESULT_BYTES:
        return "ResultTooLarge", f"the result is larger than {MAX_RESULT_BYTES} bytes"
    try:
        return StageResult.model_validate_json(message)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return "ResultMalformed", clip(f"the result cannot be read: {place} {first['msg']}", MAX_MESSAGE)


def _mismatch(result: StageResult, expected: Expected) -> str:
    if result.input_hash != expected.input_hash:
        return "the result belongs to another input"
    if result.failure is not None:
        return "the result reports a failure, yet the exit code is 0"
    if result.facts is None or result.facts.stage != expected.stage:
        return f"the result holds no facts of stage {expected.stage}"
    if expected.artifact and result.artifact is None:
        return "the result names no artifact"
    return ""
