"""One attempt at one task: its input hash, its Job's name, and the Job itself.

Owns what makes two attempts the same: the same task, number, incarnation and input have one name and one
place in object storage. Must not decide whether an attempt is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from compression_contract.artifacts import run_prefix
from compression_contract.base import digest_of_json
from compression_contract.inputs import EvaluateInput, ObjectStore, RunRef, StageInput, StageParameters
from compression_contract.keys import (
    API_VERSION,
    LABEL_ATTEMPT,
    LABEL_JOB,
    LABEL_JOB_UID,
    LABEL_STEP,
    LABEL_TARGET,
)
from compression_operator.api.compressionjob.run import PodTemplate
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.api.compressionjob.status import CompressionJobStatus
from compression_operator.api.compressionruntime import CompressionRuntimeSpec, DefaultResources
from compression_operator.api.scalars import parse_quantity
from compression_operator.core import names
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.inputs import parameters
from compression_operator.core.compression.plan import Part, Task
from compression_operator.core.manifests.stage_job import (
    DEFAULT_SERVICE_ACCOUNT,
    Owner,
    PodSettings,
    StageJob,
    stage_job,
)
from compression_operator.core.observed import Identity

KIND: Final = "CompressionJob"
STORING: Final = frozenset({Part.STEP, Part.EVALUATE})
"""Parts whose result must name an artifact."""
Role = Literal["default", "train", "evaluate", "package", "scan"]
_TEMPLATES: Final[dict[Part, Role]] = {
    Part.RESOLVE: "default",
    Part.PREFLIGHT: "train",  # the framework's own inference, in the training image
    Part.STEP: "train",
    Part.EVALUATE: "evaluate",
    Part.PACKAGE: "package",
    Part.SCAN: "scan",
}
_REGISTRY_PARTS: Final = frozenset({Part.PACKAGE, Part.SCAN})
_THREADS: Final = "OMP_NUM_THREADS"


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
    given, image = parameters(task, plan, status), _image(task, plan)
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
        parameters=attempt.parameters,
    )
    return stage_job(
        StageJob(
            namespace=identity.namespace,
            name=attempt.job_name,
            owner=Owner(API_VERSION, KIND, identity.name, identity.uid),
            role=task.role,
            image=attempt.image,
            stage_input=stage_input,
            pod=_pod(attempt, plan, runtime),
            labels=labels,
            queue=spec.run_policy.queue_name,
        )
    )


def _image(task: Task, plan: Effective) -> str:
    images = plan.snapshot
    if task.part in (Part.PREFLIGHT, Part.STEP):
        return images.runner
    if task.part is Part.EVALUATE:
        target = next(item for item in plan.targets if item.name == task.target)
        return images.evaluators[target.runtime]
    return images.tools


def _pod(attempt: Attempt, plan: Effective, runtime: CompressionRuntimeSpec) -> PodSettings:
    part = attempt.task.part
    template = _template(plan.spec, _TEMPLATES[part])
    resources = _resources(template, runtime.defaults.resources, _TEMPLATES[part])
    storage, packaging = plan.storage.secret_ref, plan.packaging.push_secret_ref
    registry = packaging.name if packaging is not None else ""
    pull = [item["name"] for item in template.get("imagePullSecrets", [])]
    environment = {item["name"]: item.get("value", "") for item in template.get("env", [])}
    fields = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName")
    return PodSettings(
        resources=resources,
        service_account=template.get("serviceAccountName") or DEFAULT_SERVICE_ACCOUNT,
        # None of our own: what the account of the pods brings along would count no more.
        pull_secrets=tuple(pull),
        storage_secret=storage.name if storage is not None else "",
        registry_secret=registry if part in _REGISTRY_PARTS else "",
        shared_memory=template.get("shmSize", ""),
        environment={_THREADS: _threads(attempt.parameters), **environment},
        placement={field: template[field] for field in fields if template.get(field)},
        labels=template.get("labels", {}),
        annotations=template.get("annotations", {}),
    )


def _template(spec: CompressionJobSpec, role: Role) -> Mapping[str, Any]:
    """The pod template of a role: its own fields over those of `default`, field by field."""
    merged: dict[str, Any] = {}
    for name in dict.fromkeys(("default", role)):
        template: PodTemplate | None = getattr(spec.pod_templates, name)
        if template is not None:
            merged.update({key: value for key, value in template.to_dict().items() if value})
    return merged


def _resources(template: Mapping[str, Any], defaults: DefaultResources, role: Role) -> dict[str, Any]:
    """The author's resources over the runtime's; limits are filled in, as a pod without them is refused."""
    base, own = defaults.of(role).to_dict(), template.get("resources", {})
    merged = {kind: {**base.get(kind, {}), **own.get(kind, {})} for kind in ("requests", "limits")}
    for name, limit in merged["limits"].items():
        # The API server refuses a request above its limit; whichever of the two the author wrote wins.
        requested = merged["requests"].get(name)
        if requested is not None and parse_quantity(requested) > parse_quantity(limit):
            if name in own.get("requests", {}) and name not in own.get("limits", {}):
                merged["limits"][name] = requested
            else:
                merged["requests"][name] = limit
    return merged


def _threads(given: StageParameters) -> str:
    """Threads of the numeric libraries: as deployed, or one.

    Sums over several threads are rounded differently from run to run; one thread makes a repeated training
    the same to the bit. An author who prefers speed sets the variable in podTemplates.train.env.
    """
    return str(given.target.threads) if isinstance(given, EvaluateInput) else "1"
