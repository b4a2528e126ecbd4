"""Whether a job may run as it stands: what only the runtime and the namespace together can tell.

Owns the checks that the API server cannot make, each with a sentence that says what to do. What a runtime
could still grant waits (NotAllowed); what only another job could change ends the job (PlanInvalid).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from compression_contract.keys import GROUP
from compression_operator.api.compressionjob.gates import MAX_GATES, Gate
from compression_operator.api.compressionjob.pipeline import Step
from compression_operator.api.compressionjob.run import PodTemplate
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.api.compressionruntime import CompressionRuntimeSpec
from compression_operator.api.scalars import parse_quantity
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.gates.judge import blocks_on_findings
from compression_operator.core.compression.observed import Runtime
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


@dataclass(frozen=True, slots=True)
class Applicant:
    """A job as it would run, and where."""

    plan: Effective
    namespace: str
    namespace_labels: Mapping[str, str]
    created: datetime


def refusal(applicant: Applicant, runtime: Runtime) -> Refusal | None:
    """The first thing that stands against the job, or None. Permanent ones are named first."""
    invalid = next(_invalid(applicant), None)
    if invalid is not None:
        return Refusal(Why.PLAN_INVALID, invalid)
    forbidden = next(_forbidden(applicant, runtime), None)
    return None if forbidden is None else Refusal(Why.NOT_ALLOWED, f"{forbidden} (runtime {runtime.name})")


def _invalid(applicant: Applicant) -> Iterator[str]:
    spec, baseline = applicant.plan.spec, applicant.plan.evaluation.baseline
    for step in applicant.plan.steps:
        yield from _broken_step(step, applicant.plan)
    if spec.code is not None:
        yield "spec.code is not offered by this version: use an architecture and a reader of the runner image"
    if spec.signing.hook or spec.signing.required:
        yield "spec.signing is not offered by this version: leave it out"
    if spec.scan.vex:
        yield "spec.scan.vex is not offered by this version: name findings in spec.scan.exceptions"
    if spec.run_policy.deletion_policy != "Retain":
        yield "runPolicy.deletionPolicy DeleteWork is not offered by this version: use Retain"
    if baseline.source == "Live":
        yield "evaluation.baseline.source Live is not offered by this version: use FP32Student or Fixed"
    if baseline.source == "Teacher" and not applicant.plan.teachers_used:
        yield "evaluation.baseline.source is Teacher, but no step distils from one: use FP32Student or Fixed"
    if len(spec.gates) == MAX_GATES and not any(blocks_on_findings(gate) for gate in spec.gates):
        yield (
            f"{MAX_GATES} gates leave no room for the one on vulnerabilities, which always holds: "
            "write it in place of one of them"
        )
    yield from _broken_names(applicant.plan)
    yield from _reserved(spec)


def _broken_step(step: Step, plan: Effective) -> Iterator[str]:
    if step.type == "Prune":
        yield f"step {step.name}: type Prune is not offered by this version: leave the step out"
    if step.distill is not None and step.distill.features:
        yield f"step {step.name}: distill.features is not offered by this version: leave it out"
    if step.from_:
        source = plan.step(step.from_)
        if source.type != "Distill":
            yield (
                f"step {step.name}: from {source.name} is of type {source.type}, but a step starts from a "
                "float model: name a Distill step, or leave from empty"
            )
    elif step.type != "Distill" and plan.spec.student.uri is None:
        yield (
            f"step {step.name} starts from the student, but student.arch names an untrained network: "
            "put a Distill step before it and name that in from, or give a trained model as student.uri"
        )


def _broken_names(plan: Effective) -> Iterator[str]:
    """Names that the API server checked only where the author wrote both sides."""
    targets = {target.name for target in plan.targets}
    metrics = {metric.name for metric in plan.metrics}
    for gate in plan.spec.gates:
        yield from _broken_gate(gate, targets, metrics)
    if plan.shipped_target not in targets:
        yield f"packaging.target {plan.shipped_target} is none of the evaluation targets {_list(targets)}"
    for target in plan.targets:
        if target.format not in plan.export_formats:
            yield f"evaluation target {target.name} wants {target.format}: add it to export.formats"


def _broken_gate(gate: Gate, targets: set[str], metrics: set[str]) -> Iterator[str]:
    bounded = gate.metric or gate.metric_drop
    if bounded is not None and bounded.name not in metrics:
        yield f"gate {gate.name} bounds metric {bounded.name}, but only {_list(metrics)} are measured"
    if gate.target is not None and gate.target not in targets:
        yield f"gate {gate.name} names target {gate.target}, which is none of {_list(targets)}"


def _reserved(spec: CompressionJobSpec) -> Iterator[str]:
    for role, template in _templates(spec):
        for kind, keys in (("labels", template.labels), ("annotations", template.annotations)):
            taken = [key for key in keys if key.split("/")[0].endswith(GROUP)]
            if taken:
                yield f"podTemplates.{role}.{kind}: {taken[0]} is reserved for the operator: take another key"


def _forbidden(applicant: Applicant, runtime: Runtime) -> Iterator[str]:
    spec, offer = applicant.plan.spec, runtime.spec
    wanted = offer.allowed_namespaces.match_labels if offer.allowed_namespaces else {}
    missing = [f"{k}={v}" for k, v in sorted(wanted.items()) if applicant.namespace_labels.get(k) != v]
    if missing:
        yield f"namespace {applicant.namespace} lacks the label {missing[0]}: ask for it"
    yield from _forbidden_places(applicant, offer)
    for step in applicant.plan.steps:
        yield from _forbidden_step(step, offer)
    yield from _forbidden_targets(applicant.plan, offer)
    if offer.floor.require_signature:
        yield "a signature is required, which this version cannot make: lift floor.requireSignature"
    latest = applicant.created + timedelta(days=offer.floor.max_exception_days)
    for exception in spec.scan.exceptions:
        if exception.expires > latest:
            yield (
                f"scan exception {exception.id} expires {exception.expires:%Y-%m-%d}: "
                f"at most {offer.floor.max_exception_days} days are allowed"
            )
    yield from _forbidden_pods(spec, offer)


def _forbidden_places(applicant: Applicant, offer: CompressionRuntimeSpec) -> Iterator[str]:
    storage, packaging = applicant.plan.storage, applicant.plan.packaging
    endpoint, namespace = offer.allow.endpoint(storage.endpoint_name), applicant.namespace
    if endpoint is None:
        known = _list(item.name for item in offer.allow.storage_endpoints)
        yield f"storage.endpointName {storage.endpoint_name} is not offered: use one of {known}"
    elif not endpoint.allows(namespace, applicant.plan.storage_prefix):
        yield (
            f"storage.prefix {storage.prefix} is not open to namespace {namespace}: "
            "choose a place under allow.storageEndpoints[].prefixes"
        )
    if offer.serving_base(packaging.serving_base) is None:
        known = _list(base.name for base in offer.serving_bases)
        yield f"packaging.servingBase {packaging.serving_base} is not offered: use one of {known}"
    if not offer.allow.allows_repository(namespace, applicant.plan.repository):
        yield (
            f"packaging.repository {packaging.repository} is not open to namespace {namespace}: "
            "choose one under allow.repositories"
        )


def _forbidden_step(step: Step, offer: CompressionRuntimeSpec) -> Iterator[str]:
    if step.type not in offer.methods:
        yield f"step {step.name}: type {step.type} is not offered, only {_list(offer.methods)}"
    words: tuple[str, ...] = ()
    if step.ptq is not None and step.ptq.engine == "PaddleSlim":
        words = (step.ptq.activation_observer, step.ptq.weight_observer)
    if step.qat is not None:
        words = (step.qat.quanters.activation, step.qat.quanters.weight)
    for word in words:
        if word not in offer.observers:
            yield f"step {step.name}: {word} is not offered, only {_list(offer.observers)}"


def _forbidden_targets(plan: Effective, offer: CompressionRuntimeSpec) -> Iterator[str]:
    for target in plan.targets:
        evaluator = offer.evaluator(target.runtime)
        if evaluator is None:
            known = _list(item.name for item in offer.evaluators)
            yield f"evaluation target {target.name} wants evaluator {target.runtime}: use one of {known}"
        elif target.format not in evaluator.formats:
            yield f"evaluator {target.runtime} does not run {target.format}, only {_list(evaluator.formats)}"
        for metric in plan.metrics:
            if evaluator is not None and metric.name not in evaluator.metrics:
                yield f"evaluator {target.runtime} does not compute {metric.name}: {_list(evaluator.metrics)}"


def _forbidden_pods(spec: CompressionJobSpec, offer: CompressionRuntimeSpec) -> Iterator[str]:
    ceiling = offer.allow.max_resources or {}
    for role, template in _templates(spec):
        wanted = template.priority_class_name
        if wanted and wanted not in offer.allow.priority_classes:
            yield f"podTemplates.{role}.priorityClassName {wanted} is not allowed"
        limits = (template.resources.limits if template.resources else None) or {}
        for name, most in sorted(ceiling.items()):
            if name in limits and parse_quantity(limits[name]) > parse_quantity(most):
                yield f"podTemplates.{role}.resources.limits.{name} is {limits[name]}, allowed is {most}"


def _templates(spec: CompressionJobSpec) -> Iterator[tuple[str, PodTemplate]]:
    templates = spec.pod_templates
    for role in ("default", "train", "evaluate", "package", "scan"):
        template: PodTemplate | None = getattr(templates, role)
        if template is not None:
            yield role, template


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
