"""Whether a plan makes sense: what nothing but another job could change.

Owns the checks of a plan against itself that the API server cannot make, each with a sentence that says what
to do. Must not know what a runtime offers (see `grants`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from compression_contract.keys import GROUP
from compression_contract.tasks import METRICS
from compression_operator.api.compressionjob.evaluation import Metric
from compression_operator.api.compressionjob.gates import MAX_GATES, Gate
from compression_operator.api.compressionjob.inputs import FROM_CODE
from compression_operator.api.compressionjob.pipeline import Step
from compression_operator.api.compressionjob.run import PodTemplate
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.gates.judge import blocks_on_findings
from compression_operator.core.compression.pareto import BYTES, LATENCY

TRAINING: Final = frozenset({"Distill", "Prune"})
"""Types of steps that leave a float model."""
DEPLOYED_BITS: Final = 8
SERVED_RUNTIME: Final = "onnxruntime"
"""The only evaluator whose runtime a serving base brings."""
PADDLES_OWN: Final = frozenset({"EMD", "MSE"})
"""Observers that onnxruntime lacks."""
LEARNED: Final = frozenset({"LSQplus", "PACT"})
PADDLE_FORMAT: Final = "PaddleInference"
UNWRITTEN: Final = frozenset({"PaddleLite"})
"""Formats that the schema knows and nothing here makes."""


def problems(plan: Effective) -> Iterator[str]:
    """What is wrong with the plan, a sentence each."""
    for step in plan.steps:
        yield from _broken_source(step, plan)
        yield from _broken_method(step, plan)
        yield from _broken_candidate(step)
    yield from _not_offered(plan)
    for metric in plan.metrics:
        yield from _broken_metric(metric, plan)
    yield from _broken_objective(plan)
    yield from _broken_names(plan)
    yield from _reserved(plan.spec)


def _not_offered(plan: Effective) -> Iterator[str]:
    spec, baseline = plan.spec, plan.evaluation.baseline
    if spec.signing.hook or spec.signing.required:
        yield "spec.signing is not offered by this version: leave it out"
    if spec.scan.vex:
        yield "spec.scan.vex is not offered by this version: name findings in spec.scan.exceptions"
    if spec.run_policy.deletion_policy != "Retain":
        yield "runPolicy.deletionPolicy DeleteWork is not offered by this version: use Retain"
    own = {"student.arch": spec.student.arch, "dataset.reader": spec.dataset.reader}
    for field, value in own.items():
        if value == FROM_CODE and spec.code is None:
            yield f"{field} is {FROM_CODE}, but there is no spec.code: give it, or name another"
    for unwritten in sorted(UNWRITTEN & set(plan.export_formats)):
        yield f"export.formats {unwritten} is not offered by this version: no tool of the runner writes it"
    if baseline.source == "Live":
        yield "evaluation.baseline.source Live is not offered by this version: use FP32Student or Fixed"
    if baseline.source == "Teacher" and not plan.teachers_used:
        yield "evaluation.baseline.source is Teacher, but no step distils from one: use FP32Student or Fixed"
    if len(spec.gates) == MAX_GATES and not any(blocks_on_findings(gate) for gate in spec.gates):
        yield (
            f"{MAX_GATES} gates leave no room for the one on vulnerabilities, which always holds: "
            "write it in place of one of them"
        )


def _broken_source(step: Step, plan: Effective) -> Iterator[str]:
    """What a step starts from."""
    if step.from_:
        source = plan.step(step.from_)
        if source.type not in TRAINING:
            yield (
                f"step {step.name}: from {source.name} is of type {source.type}, but a step starts from a "
                "float model: name a Distill or Prune step, or leave from empty"
            )
        if step.student_arch:
            yield (
                f"step {step.name}: studentArch {step.student_arch} cannot start from the weights of "
                f"{source.name}: leave from or studentArch out"
            )
    elif step.type != "Distill" and plan.spec.student.uri is None:
        yield (
            f"step {step.name} starts from the student, but student.arch names an untrained network: "
            "put a Distill step before it and name that in from, or give a trained model as student.uri"
        )


def _broken_method(step: Step, plan: Effective) -> Iterator[str]:
    ptq, qat = step.ptq, step.qat
    if ptq is not None and ptq.bits.weight != DEPLOYED_BITS:
        yield (
            f"step {step.name}: no runtime of this version runs weights of {ptq.bits.weight} bits: "
            f"set bits.weight to {DEPLOYED_BITS}"
        )
    if ptq is not None and ptq.engine == "OnnxRuntime" and ptq.activation_observer in PADDLES_OWN:
        observer = ptq.activation_observer
        yield f"step {step.name}: engine OnnxRuntime has no observer {observer}: use PaddleSlim"
    learned = qat is not None and {qat.quanters.weight, qat.quanters.activation} & LEARNED
    foreign = ptq is not None and ptq.engine == "OnnxRuntime"
    if PADDLE_FORMAT in plan.export_formats and (learned or foreign):
        yield (
            f"step {step.name} cannot write {PADDLE_FORMAT}, which Paddle's own quantisers alone can: "
            "leave it out of export.formats, or take another engine or quanter"
        )
    if step.distill is None:
        return
    teachers = step.distill.teachers or ()
    for feature in step.distill.features:
        teacher, slash, layer = feature.teacher.partition("/")
        if teacher not in teachers or not slash or not layer:
            yield (
                f"step {step.name}: feature {feature.teacher} names none of its teachers {listed(teachers)}: "
                "write it as teacher/layer"
            )


def _broken_candidate(step: Step) -> Iterator[str]:
    """What is shipped is quantised."""
    if step.type == "Export":
        yield f"step {step.name}: type Export is not offered by this version: end the plan with PTQ or QAT"
    elif step.is_candidate and step.type in TRAINING:
        yield (
            f"step {step.name} would make a float candidate, which this version does not ship: "
            "set candidate: false, and let a PTQ or QAT step start from it"
        )


def _broken_metric(metric: Metric, plan: Effective) -> Iterator[str]:
    """A metric that the task does not have, or that is turned round."""
    known = METRICS[plan.spec.task]
    if metric.name not in known:
        yield f"evaluation.metrics: {plan.spec.task} has no metric {metric.name}, only {listed(known)}"
    elif metric.direction != known[metric.name]:
        yield f"evaluation.metrics: {metric.name} is {known[metric.name]}: leave its direction out"


def _broken_objective(plan: Effective) -> Iterator[str]:
    objective = plan.spec.pipeline.objective
    if objective is None:
        return
    higher = {metric.name: metric.direction == "HigherIsBetter" for metric in plan.metrics}
    better = {LATENCY: "Minimize", BYTES: "Minimize"}
    better |= {name: "Maximize" if up else "Minimize" for name, up in higher.items()}
    if objective.metric not in better:
        yield f"pipeline.objective.metric {objective.metric} is not measured: use one of {listed(better)}"
    elif objective.goal != better[objective.metric]:
        yield f"pipeline.objective: {objective.metric} is best with goal: {better[objective.metric]}"


def _broken_names(plan: Effective) -> Iterator[str]:
    """Names that the API server checked only where the author wrote both sides."""
    targets = {target.name for target in plan.targets}
    metrics = {metric.name for metric in plan.metrics}
    for gate in plan.spec.gates:
        yield from _broken_gate(gate, targets, metrics)
    if plan.shipped_target not in targets:
        yield f"packaging.target {plan.shipped_target} is none of the evaluation targets {listed(targets)}"
    for target in plan.targets:
        if target.name == plan.shipped_target and target.runtime != SERVED_RUNTIME:
            yield (
                f"packaging.target {target.name} is measured on {target.runtime}, which has no serving base: "
                f"package a target of {SERVED_RUNTIME}"
            )
        if target.format not in plan.export_formats:
            yield f"evaluation target {target.name} wants {target.format}: add it to export.formats"


def _broken_gate(gate: Gate, targets: set[str], metrics: set[str]) -> Iterator[str]:
    bounded = gate.metric or gate.metric_drop
    if bounded is not None and bounded.name not in metrics:
        yield f"gate {gate.name} bounds metric {bounded.name}, but only {listed(metrics)} are measured"
    if gate.target is not None and gate.target not in targets:
        yield f"gate {gate.name} names target {gate.target}, which is none of {listed(targets)}"


def _reserved(spec: CompressionJobSpec) -> Iterator[str]:
    for role, template in templates(spec):
        for kind, keys in (("labels", template.labels), ("annotations", template.annotations)):
            taken = [key for key in keys if key.split("/")[0].endswith(GROUP)]
            if taken:
                yield f"podTemplates.{role}.{kind}: {taken[0]} is reserved for the operator: take another key"


def templates(spec: CompressionJobSpec) -> Iterator[tuple[str, PodTemplate]]:
    """The pod templates that the author wrote, by role."""
    templates = spec.pod_templates
    for role in ("default", "train", "evaluate", "package", "scan"):
        template: PodTemplate | None = getattr(templates, role)
        if template is not None:
            yield role, template


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, in one order."""
    return ", ".join(sorted(names)) or "none"
