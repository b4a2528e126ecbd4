"""One attempt at one task: its input hash, its Job's name, and the Job itself.

Owns what makes two attempts the same: the same task, number, incarnation and input have one name and one
place in object storage. Must not decide whether an attempt is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from compression_contract.artifacts import run_prefix
from compression_contract.base import digest_of_json
from compression_contract.inputs import (
    DistillInput,
    ObjectStore,
    PruneInput,
    QATInput,
    RunRef,
    StageInput,
    StageParameters,
)
from compression_contract.keys import (
    API_VERSION,
    LABEL_ATTEMPT,
    LABEL_JOB,
    LABEL_JOB_UID,
    LABEL_STEP,
    LABEL_TARGET,
)
from compression_operator.api.compressionjob.status import CompressionJobStatus
from compression_operator.api.compressionruntime import CompressionRuntimeSpec
from compression_operator.core import names
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.inputs import parameters
from compression_operator.core.compression.plan import Part, Task
from compression_operator.core.compression.pods import pod_settings
from compression_operator.core.manifests.ranks_service import ranks_service
from compression_operator.core.manifests.stage_job import Owner, Ranks, StageJob, stage_job
from compression_operator.core.observed import Identity

KIND: Final = "CompressionJob"
STORING: Final = frozenset({Part.STEP, Part.EVALUATE})
"""Parts whose result must name an artifact."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: a pure function of the plan, the receipts so far and its number."""

    task: Task
    number: int
    image: str
    parameters: StageParameters
    input_hash: str
    job_name: str


def attempt_of(
    task: Task, plan: Effective, status: CompressionJobStatus, identity: Identity, number: int
) -> Attempt:
    """The attempt of that number in the present incarnation."""
    given, image = parameters(task, plan, status, identity), _image(task, plan)
    hashed: dict[str, Any] = {"parameters": given.wire(), "image": image}
    repeated = measurement_round(status, task)
    if repeated:
        # A repeated measurement must not find the result of the first one.
        hashed["round"] = repeated
    input_hash = digest_of_json(hashed)
    key = f"{task.name}/{number}/{status.incarnation or 0}/{input_hash}"
    return Attempt(
        task=task,
        number=number,
        image=image,
        parameters=given,
        input_hash=input_hash,
        job_name=names.child_job(identity.name, identity.uid, task.role, key),
    )


def measurement_round(status: CompressionJobStatus, task: Task) -> int:
    """How often the candidate has been measured anew on this target."""
    if task.part is not Part.EVALUATE:
        return 0
    results = [r for c in status.candidates if c.step == task.step for r in c.results]
    return next((result.round or 0 for result in results if result.target == task.target), 0)


def job_of(
    attempt: Attempt, plan: Effective, identity: Identity, runtime: CompressionRuntimeSpec
) -> dict[str, Any]:
    """The attempt's Job."""
    task, spec = attempt.task, plan.spec
    labels = {
        LABEL_JOB: identity.name,
        LABEL_JOB_UID: identity.uid,
        LABEL_ATTEMPT: str(attempt.number),
        **({LABEL_STEP: task.step} if task.step else {}),
        **({LABEL_TARGET: task.target} if task.target else {}),
    }
    stage = attempt.parameters.stage
    stage_input = StageInput(
        run=RunRef(namespace=identity.namespace, name=identity.name, uid=identity.uid),
        input_hash=attempt.input_hash,
        store=ObjectStore(endpoint=plan.snapshot.endpoint or "", region=plan.snapshot.region or "us-east-1"),
        output=run_prefix(plan.storage_prefix, identity.uid, stage, attempt.input_hash),
        ca_bundle=runtime.trust.ca_bundle,
        checkpoint_seconds=_checkpoint_seconds(task, plan),
        parameters=attempt.parameters,
    )
    return stage_job(
        StageJob(
            namespace=identity.namespace,
            name=attempt.job_name,
            owner=_owner(identity),
            role=task.role,
            image=attempt.image,
            stage_input=stage_input,
            pod=pod_settings(task, attempt.parameters, plan, runtime),
            labels=labels,
            queue=spec.run_policy.queue_name,
            ranks=_ranks(attempt, identity),
        )
    )


def service_of(attempt: Attempt, identity: Identity) -> dict[str, Any] | None:
    """The headless Service that the attempt's pods need; None where there is one pod only."""
    if _ranks(attempt, identity) is None:
        return None
    return ranks_service(_owner(identity), identity.namespace)


def _owner(identity: Identity) -> Owner:
    return Owner(API_VERSION, KIND, identity.name, identity.uid)


def _ranks(attempt: Attempt, identity: Identity) -> Ranks | None:
    given = attempt.parameters
    count = given.replicas if isinstance(given, DistillInput | PruneInput | QATInput) else 1
    return Ranks(count, names.ranks_service(identity.name, identity.uid)) if count > 1 else None


def _checkpoint_seconds(task: Task, plan: Effective) -> float | None:
    """How often a training stores a checkpoint; not hashed, as it changes no result."""
    policy = plan.spec.run_policy.checkpoint
    return policy.interval.total_seconds() if task.part is Part.STEP and policy.enabled else None


def _image(task: Task, plan: Effective) -> str:
    images = plan.snapshot
    if task.part in (Part.PREFLIGHT, Part.STEP, Part.REPORT):
        return images.runner
    if task.part is Part.EVALUATE:
        target = next(item for item in plan.targets if item.name == task.target)
        return images.evaluators[target.runtime]
    return images.tools
