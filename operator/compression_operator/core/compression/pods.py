"""The settings of a task's pods: resources, placing, Secrets, threads.

Owns the author's pod templates over the runtime's defaults, and which pods hold which credential. Must not
know the shape of a pod (see `manifests.pod`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from compression_contract.inputs import (
    DistillInput,
    EvaluateInput,
    PruneInput,
    PTQInput,
    QATInput,
    StageParameters,
)
from compression_operator.api.compressionjob.run import PodTemplate
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.api.compressionruntime import CompressionRuntimeSpec, DefaultResources
from compression_operator.api.scalars import parse_quantity
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.plan import Part, Task
from compression_operator.core.manifests.pod import (
    CHECKPOINT_GRACE_SECONDS,
    DEFAULT_SERVICE_ACCOUNT,
    GRACE_SECONDS,
    Couriers,
    PodSettings,
)

Role = Literal["default", "train", "evaluate", "package", "scan"]
_TEMPLATES: Final[dict[Part, Role]] = {
    Part.RESOLVE: "default",
    Part.PREFLIGHT: "train",  # the framework's own inference, in the training image
    Part.STEP: "train",
    Part.EVALUATE: "evaluate",
    Part.PACKAGE: "package",
    Part.SCAN: "scan",
    Part.REPORT: "default",
}
_REGISTRY_PARTS: Final = frozenset({Part.PACKAGE, Part.SCAN})
_THREADS: Final = "OMP_NUM_THREADS"
Coded = DistillInput | PruneInput | PTQInput | QATInput
"""Stages that may run an author's code."""


def pod_settings(
    task: Task, given: StageParameters, plan: Effective, runtime: CompressionRuntimeSpec
) -> PodSettings:
    """The settings of a task's pods."""
    part = task.part
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
        environment={_THREADS: _threads(given), **environment},
        placement={field: template[field] for field in fields if template.get(field)},
        labels=template.get("labels", {}),
        annotations=template.get("annotations", {}),
        couriers=_couriers(given, plan, runtime),
        grace_seconds=CHECKPOINT_GRACE_SECONDS if part is Part.STEP else GRACE_SECONDS,
    )


def _couriers(given: StageParameters, plan: Effective, runtime: CompressionRuntimeSpec) -> Couriers | None:
    """Who holds the credentials where the author's code runs; None: the stage itself does."""
    if not isinstance(given, Coded) or given.code is None:
        return None
    return Couriers(plan.snapshot.tools, runtime.defaults.resources.of("default").to_dict())


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
