"""The spec of a CompressionJob and the rules that span its sections."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression_operator.api.base import ApiModel, Rule, map_list
from compression_operator.api.compressionjob.evaluation import Evaluation
from compression_operator.api.compressionjob.gates import GATES_RULES, MAX_GATES, Gate
from compression_operator.api.compressionjob.immutable import HOW_TO_CHANGE, immutable
from compression_operator.api.compressionjob.inputs import (
    Code,
    Dataset,
    Model,
    Storage,
    Student,
    Task,
    Teacher,
)
from compression_operator.api.compressionjob.pipeline import Export, Pipeline
from compression_operator.api.compressionjob.release import Packaging, PromotionRequest, Scan, Signing
from compression_operator.api.compressionjob.run import PodTemplates, RunPolicy
from compression_operator.api.meta import RuntimeRef

_GATE_INDEXES = "[" + ",".join(str(index) for index in range(MAX_GATES)) + "]"


def _is_raw(gate: str, member: str) -> str:
    """CEL: the author declared the metric of `gate` with unit Raw."""
    return (
        "(has(self.evaluation.metrics) && self.evaluation.metrics.exists(m, "
        f"m.name == {gate}.{member}.name && m.unit == 'Raw'))"
    )


def _outside_fraction(bound: str) -> str:
    """CEL: the bound is given and is not 0 to 1."""
    return f"(has({bound}) && ({bound} < 0.0 || {bound} > 1.0))"


def _gate_rule(bad: str, message: str) -> Rule:
    """A rule over spec.gates that names the first wrong gate; `bad` is CEL with `{g}` for the gate."""
    first = f"{_GATE_INDEXES}.filter(i, i < self.gates.size() && ({bad.replace('{g}', 'self.gates[i]')}))[0]"
    return Rule(
        f"!self.gates.exists(g, {bad.replace('{g}', 'g')})",
        message_expression=f"'gate ' + self.gates[{first}].name + ': {message}'",
        field_path=".gates",
    )


SPEC_RULES = (
    # Removed once and added again with other content, a section without default would dodge its own rule.
    Rule(
        "has(self.code) == has(oldSelf.code)",
        f"spec.code {HOW_TO_CHANGE}",
        field_path=".code",
        reason="FieldValueForbidden",
    ),
    Rule(
        "!has(self.pipeline.steps) || self.teachers.size() > 0 || "
        "self.pipeline.steps.all(s, s.type != 'Distill')",
        "a Distill step needs at least one entry in spec.teachers",
        field_path=".teachers",
    ),
    Rule(
        "!has(self.pipeline.steps) || self.pipeline.steps.all(s, !has(s.distill) || "
        "!has(s.distill.teachers) || "
        "s.distill.teachers.all(t, self.teachers.exists(x, x.name == t)))",
        "distill.teachers may name only entries of spec.teachers",
        field_path=".pipeline.steps",
    ),
    _gate_rule(
        f"has({{g}}.metric) && !{_is_raw('{g}', 'metric')} && "
        f"({_outside_fraction('{g}.metric.min')} || {_outside_fraction('{g}.metric.max')})",
        "a metric of unit Fraction is given as 0 to 1: write 0.85, not 85 "
        "(or declare it with unit: Raw in spec.evaluation.metrics)",
    ),
    _gate_rule(
        "has({g}.metricDrop) && {g}.metricDrop.max > 1.0 && "
        f"!({{g}}.metricDrop.mode == 'Absolute' && {_is_raw('{g}', 'metricDrop')})",
        "a drop of a Fraction metric, and every Relative drop, is given as 0 to 1: write 0.01, not 1",
    ),
    _gate_rule(
        "has(self.evaluation.metrics) && "
        "((has({g}.metric) && !self.evaluation.metrics.exists(m, m.name == {g}.metric.name)) || "
        "(has({g}.metricDrop) && !self.evaluation.metrics.exists(m, m.name == {g}.metricDrop.name)))",
        "names a metric that spec.evaluation.metrics does not have",
    ),
    _gate_rule(
        "has(self.evaluation.targets) && has({g}.target) && "
        "!self.evaluation.targets.exists(t, t.name == {g}.target)",
        "names a target that spec.evaluation.targets does not have",
    ),
    Rule(
        "!has(self.packaging.target) || !has(self.evaluation.targets) || "
        "self.evaluation.targets.exists(t, t.name == self.packaging.target)",
        "packaging.target is not in spec.evaluation.targets: name one of them",
        field_path=".packaging.target",
    ),
    Rule(
        "!has(self.evaluation.targets) || !has(self.export.formats) || "
        "self.evaluation.targets.all(t, t.format in self.export.formats)",
        "every evaluation target's format must be in spec.export.formats",
        field_path=".export",
    ),
    Rule(
        "self.evaluation.baseline.source != 'Live' || self.promotion.targets.size() > 0",
        "baseline Live needs promotion.targets",
        field_path=".evaluation.baseline.source",
    ),
    Rule(
        "self.gates.all(g, g.type != 'Size' || !has(g.size.minRatio) || "
        "self.evaluation.baseline.source != 'Fixed')",
        "size.minRatio needs a measured baseline, not Fixed",
        field_path=".gates",
    ),
)


class CompressionJobSpec(ApiModel):
    """How to compress, and what is good enough: immutable but for suspend, cancel and the time to live."""

    rules = SPEC_RULES

    suspend: Annotated[
        bool,
        Field(
            description="Pause: the running pod ends; false starts its step again, those before it stay done."
        ),
    ] = False
    cancel: Annotated[
        bool,
        Field(description="End the job now as Failed, reason Cancelled. One-way."),
        Rule(
            "!oldSelf || self",
            "cancel is one-way: a cancelled job cannot be un-cancelled; create a new one",
        ),
    ] = False
    ttl_seconds_after_finished: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**31 - 1,
            description="Delete the job this long after its end; its ModelVersion stays. Absent: keep it.",
        ),
    ] = None
    runtime_ref: Annotated[
        RuntimeRef,
        Field(description="The CompressionRuntime: images, evaluators, allowlists and defaults."),
        *immutable("runtimeRef"),
    ] = RuntimeRef()
    model: Annotated[
        Model, Field(description="Under which name the result is released."), *immutable("model")
    ]
    task: Annotated[
        Task, Field(description="What the model does; it sets the default metrics."), *immutable("task")
    ]
    storage: Annotated[Storage, Field(description="Where results are kept."), *immutable("storage")] = (
        Storage()
    )
    code: Annotated[
        Code | None,
        Field(description="User code; it runs in training pods only."),
        *immutable("code"),
    ] = None
    teachers: Annotated[
        tuple[Teacher, ...],
        Field(max_length=8, description="Stored models whose knowledge is distilled."),
        map_list("name"),
        *immutable("teachers"),
    ] = ()
    student: Annotated[Student, Field(description="The network to be compressed."), *immutable("student")]
    dataset: Annotated[
        Dataset, Field(description="The data to train, calibrate and measure with."), *immutable("dataset")
    ]
    pipeline: Annotated[Pipeline, Field(description="The plan.")] = Pipeline()
    export: Annotated[Export, Field(description="Which files are made of a candidate.")] = Export()
    evaluation: Annotated[Evaluation, Field(description="How candidates are measured.")] = Evaluation()
    gates: Annotated[
        tuple[Gate, ...],
        Field(
            min_length=1,
            max_length=MAX_GATES,
            description="What a candidate must reach; all must pass, and what was not measured never passes.",
        ),
        map_list("name"),
        *GATES_RULES,
    ]
    packaging: Annotated[Packaging, Field(description="How the model becomes a serving image.")] = Packaging()
    scan: Annotated[Scan, Field(description="How the image is scanned for vulnerabilities.")] = Scan()
    signing: Annotated[Signing, Field(description="Which hook signs the image.")] = Signing()
    promotion: Annotated[
        PromotionRequest, Field(description="Where the released version should go live.")
    ] = PromotionRequest()
    run_policy: Annotated[RunPolicy, Field(description="Deadlines, retries and clean-up.")] = RunPolicy()
    pod_templates: Annotated[
        PodTemplates, Field(description="Placing, labels and resources of the pods.")
    ] = PodTemplates()
