"""Whether a runtime lets a plan run: what its administrator could still grant.

Owns the checks of a plan against the runtime and the namespace, each with a sentence that says what to do.
Must not know whether the plan makes sense (see `validity`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from compression_operator.api.compressionjob.pipeline import Step
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.api.compressionruntime import CompressionRuntimeSpec
from compression_operator.api.scalars import parse_quantity
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.validity import listed, templates


@dataclass(frozen=True, slots=True)
class Applicant:
    """A job as it would run, and where."""

    plan: Effective
    namespace: str
    namespace_labels: Mapping[str, str]
    created: datetime


def missing(applicant: Applicant, offer: CompressionRuntimeSpec) -> Iterator[str]:
    """What the runtime does not grant the job, a sentence each."""
    spec = applicant.plan.spec
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
        known = listed(item.name for item in offer.allow.storage_endpoints)
        yield f"storage.endpointName {storage.endpoint_name} is not offered: use one of {known}"
    elif not endpoint.allows(namespace, applicant.plan.storage_prefix):
        yield (
            f"storage.prefix {storage.prefix} is not open to namespace {namespace}: "
            "choose a place under allow.storageEndpoints[].prefixes"
        )
    if offer.serving_base(packaging.serving_base) is None:
        known = listed(base.name for base in offer.serving_bases)
        yield f"packaging.servingBase {packaging.serving_base} is not offered: use one of {known}"
    if not offer.allow.allows_repository(namespace, applicant.plan.repository):
        yield (
            f"packaging.repository {packaging.repository} is not open to namespace {namespace}: "
            "choose one under allow.repositories"
        )


def _forbidden_step(step: Step, offer: CompressionRuntimeSpec) -> Iterator[str]:
    if step.type not in offer.methods:
        yield f"step {step.name}: type {step.type} is not offered, only {listed(offer.methods)}"
    words: tuple[str, ...] = ()
    if step.ptq is not None and step.ptq.engine == "PaddleSlim":
        words = (step.ptq.activation_observer, step.ptq.weight_observer)
    if step.qat is not None:
        words = (step.qat.quanters.activation, step.qat.quanters.weight)
    for word in words:
        if word not in offer.observers:
            yield f"step {step.name}: {word} is not offered, only {listed(offer.observers)}"


def _forbidden_targets(plan: Effective, offer: CompressionRuntimeSpec) -> Iterator[str]:
    for target in plan.targets:
        evaluator = offer.evaluator(target.runtime)
        if evaluator is None:
            known = listed(item.name for item in offer.evaluators)
            yield f"evaluation target {target.name} wants evaluator {target.runtime}: use one of {known}"
        elif target.format not in evaluator.formats:
            yield f"evaluator {target.runtime} does not run {target.format}, only {listed(evaluator.formats)}"
        for metric in plan.metrics:
            if evaluator is not None and metric.name not in evaluator.metrics:
                known = listed(evaluator.metrics)
                yield f"evaluator {target.runtime} does not compute {metric.name}: {known}"


def _forbidden_pods(spec: CompressionJobSpec, offer: CompressionRuntimeSpec) -> Iterator[str]:
    ceiling = offer.allow.max_resources or {}
    for role, template in templates(spec):
        wanted = template.priority_class_name
        if wanted and wanted not in offer.allow.priority_classes:
            yield f"podTemplates.{role}.priorityClassName {wanted} is not allowed"
        limits = (template.resources.limits if template.resources else None) or {}
        for name, most in sorted(ceiling.items()):
            if name in limits and parse_quantity(limits[name]) > parse_quantity(most):
                yield f"podTemplates.{role}.resources.limits.{name} is {limits[name]}, allowed is {most}"
