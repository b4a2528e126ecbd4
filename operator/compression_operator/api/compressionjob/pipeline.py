"""The plan of a CompressionJob: steps in order, fallbacks by `when.unmet`, and what is exported."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, Rule, map_list
from compression_operator.api.compressionjob.immutable import HOW_TO_CHANGE, immutable
from compression_operator.api.compressionjob.methods import PTQ, QAT, Distill, Prune
from compression_operator.api.scalars import MetricName, PartName, StepName

StepType = Literal["Distill", "Prune", "PTQ", "QAT", "Export"]
ExportFormat = Literal["PaddleInference", "ONNX", "ONNXQDQ", "PaddleLite"]
CANDIDATE_TYPES: frozenset[StepType] = frozenset({"PTQ", "QAT", "Export"})
MEMBERS: dict[StepType, str] = {"Distill": "distill", "Prune": "prune", "PTQ": "ptq", "QAT": "qat"}
MAX_STEPS = 12

_CANDIDATES = "['PTQ', 'QAT', 'Export']"
# CEL knows the size of a literal, not that of map() or filter(): index literals keep the cost estimate
# inside the API server's budget where indexOf and join are refused.
_INDEXES = "[" + ",".join(str(index) for index in range(MAX_STEPS)) + "]"


def _is_candidate(step: str) -> str:
    """CEL: `step` is exported, evaluated and gated (its default depends on its type)."""
    return f"(has({step}.candidate) ? {step}.candidate : {step}.type in {_CANDIDATES})"


def _earlier(index: str, condition: str) -> str:
    """CEL: some step j before `index` fulfils `condition`."""
    return f"{_INDEXES}.exists(j, j < {index} && {condition})"


def _first(condition: str) -> str:
    """CEL: the first step whose index i fulfils `condition`."""
    return f"self[{_INDEXES}.filter(i, {condition})[0]]"


_BAD_FROM = "i < self.size() && self[i].from != '' && !" + _earlier("i", "self[j].name == self[i].from")
_BAD_UNMET = (
    "i < self.size() && self[i].when.unmet.exists(u, !"
    + _earlier("i", "self[j].name == u && " + _is_candidate("self[j]"))
    + ")"
)

STEPS_RULES = (
    Rule(
        f"!{_INDEXES}.exists(i, {_BAD_FROM})",
        message_expression="'from must be empty or name an EARLIER step; step ' + "
        f"{_first(_BAD_FROM)}.name + ' has from: ' + {_first(_BAD_FROM)}.from",
    ),
    Rule(
        f"!{_INDEXES}.exists(i, {_BAD_UNMET})",
        message_expression="'when.unmet may name only EARLIER steps that are candidates (PTQ, QAT, "
        "Export, or "
        f"candidate: true); wrong in step ' + {_first(_BAD_UNMET)}.name",
    ),
    Rule(
        f"self.exists(s, {_is_candidate('s')})",
        "at least one step must be a candidate (PTQ, QAT, Export, or candidate: true)",
    ),
)


class When(ApiModel):
    """When a step runs."""

    unmet: Annotated[
        tuple[StepName, ...],
        Field(
            max_length=MAX_STEPS - 1,
            description="Earlier candidates. The step runs only if none of them passed the gates; "
            "empty: always.",
        ),
        SET_LIST,
    ] = ()


class Step(ApiModel):
    """One step of the plan; it has exactly the member that belongs to its type."""

    rules = (
        Rule(
            " && ".join(f"(self.type == '{kind}') == has(self.{member})" for kind, member in MEMBERS.items()),
            message_expression="'step \"' + self.name + '\" has type ' + self.type + ': it must have "
            "exactly the "
            "member ' + (self.type == 'Export' ? '(none)' : self.type.lowerAscii()) + ' and no other "
            "of distill, "
            "prune, ptq, qat'",
        ),
        Rule(
            "!has(self.studentArch) || self.type == 'Distill'",
            "studentArch is for type Distill only",
            field_path=".studentArch",
        ),
    )

    name: Annotated[StepName, Field(description="Name of the step, at most 12 characters.")]
    type: Annotated[
        StepType,
        Field(
            description="What the step does. Each type but Export has a member of that name in lower case."
        ),
    ]
    from_: Annotated[
        str,
        Field(
            alias="from",
            max_length=12,
            pattern=r"^([a-z][a-z0-9-]{0,11})?$",
            description="The earlier step whose model this one starts from; empty: the student.",
        ),
    ] = ""
    when: Annotated[When, Field(description="When the step runs.")] = When()
    candidate: Annotated[
        bool | None,
        Field(
            description="Whether the result is exported, evaluated and gated. Default: true for PTQ, "
            "QAT and "
            "Export, false for Distill and Prune."
        ),
    ] = None
    student_arch: Annotated[
        PartName | None,
        Field(description="Distill only: train this architecture instead of spec.student.arch."),
    ] = None
    distill: Annotated[Distill | None, Field(description="Settings of type Distill.")] = None
    prune: Annotated[Prune | None, Field(description="Settings of type Prune.")] = None
    ptq: Annotated[PTQ | None, Field(description="Settings of type PTQ; {} takes all defaults.")] = None
    qat: Annotated[QAT | None, Field(description="Settings of type QAT; {} takes all defaults.")] = None

    @property
    def is_candidate(self) -> bool:
        """Whether the result is exported, evaluated and gated."""
        return self.type in CANDIDATE_TYPES if self.candidate is None else self.candidate


class Objective(ApiModel):
    """What `selection: Best` optimises among the candidates that pass."""

    metric: Annotated[MetricName, Field(description="A metric's name, or latencyP95, or bytes.")]
    goal: Annotated[
        Literal["Minimize", "Maximize"],
        Field(description="Which way is better: Maximize top1, Minimize CER."),
    ]


class Pipeline(ApiModel):
    """The plan: an unrolled, finite list of steps. A fallback is a later step with `when.unmet`."""

    rules = (
        *immutable("pipeline"),
        # `self == oldSelf` does not see the order of a map list, and here order has a meaning.
        Rule(
            "has(self.steps) == has(oldSelf.steps) && (!has(self.steps) || "
            "self.steps.map(s, s.name) == oldSelf.steps.map(s, s.name))",
            f"the order of spec.pipeline.steps {HOW_TO_CHANGE}",
            reason="FieldValueForbidden",
        ),
        Rule(
            "(self.selection == 'Best') == has(self.objective)",
            "objective is required with selection: Best and refused without it",
            field_path=".objective",
        ),
    )

    selection: Annotated[
        Literal["FirstPassing", "Best"],
        Field(
            description="Ship the first candidate in the plan that passes, or measure all that can run and "
            "ship the best of those that pass: of the Pareto front (metrics, latency, bytes) the one that "
            "the objective puts first."
        ),
    ] = "FirstPassing"
    objective: Annotated[
        Objective | None, Field(description="What is best; required with selection: Best.")
    ] = None
    steps: Annotated[
        tuple[Step, ...] | None,
        Field(
            min_length=1,
            max_length=MAX_STEPS,
            description="The steps in order. Absent: Distill where there are teachers, PTQ, QAT when "
            "PTQ missed a gate (with selection: Best always), and when both missed one longer distillation "
            "with PTQ.",
        ),
        map_list("name"),
        *STEPS_RULES,
    ] = None


class Export(ApiModel):
    """Which files are made of a candidate."""

    rules = immutable("export")

    formats: Annotated[
        tuple[ExportFormat, ...] | None,
        Field(
            min_length=1,
            max_length=4,
            description="File formats. ONNXQDQ carries INT8 weights and scales as QuantizeLinear and "
            "DequantizeLinear pairs. Default: spec.defaults.export of the runtime.",
        ),
        SET_LIST,
    ] = None
    onnx_opset: Annotated[int, Field(ge=11, le=21, description="Version of the ONNX operator set.")] = 13
