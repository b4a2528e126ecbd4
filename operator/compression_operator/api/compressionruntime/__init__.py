"""CompressionRuntime: the administrator's side of a CompressionJob: images, allowlists and defaults.

Authors choose a runtime by name and never give an image, an address or a service account of their own.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, Column, KindInfo, Resource, Rule, map_list
from compression_operator.api.compressionjob.pipeline import StepType
from compression_operator.api.compressionruntime.defaults import (
    DefaultEvaluation,
    DefaultExport,
    DefaultMetrics,
    DefaultResources,
    Defaults,
    DefaultSecrets,
)
from compression_operator.api.compressionruntime.images import Evaluator, Hook, Runner, ServingBase, Tools
from compression_operator.api.compressionruntime.limits import (
    Allow,
    Floor,
    LabelSelector,
    StorageEndpoint,
    Trust,
    VulnerabilityFloor,
    allowed_prefixes,
)
from compression_operator.api.meta import Conditions, ObjectMeta
from compression_operator.api.scalars import Count

__all__ = [
    "Allow",
    "CompressionRuntime",
    "CompressionRuntimeSpec",
    "CompressionRuntimeStatus",
    "DefaultEvaluation",
    "DefaultExport",
    "DefaultMetrics",
    "DefaultResources",
    "DefaultSecrets",
    "Defaults",
    "Evaluator",
    "Floor",
    "Hook",
    "LabelSelector",
    "Runner",
    "ServingBase",
    "StorageEndpoint",
    "Tools",
    "Trust",
    "VulnerabilityFloor",
    "allowed_prefixes",
]


class CompressionRuntimeSpec(ApiModel):
    """Images, allowlists and defaults."""

    rules = (
        Rule(
            "!has(self.defaults.servingBase) || self.servingBases.exists(b, b.name == "
            "self.defaults.servingBase)",
            "defaults.servingBase is not in spec.servingBases: name one of them",
            field_path=".defaults.servingBase",
        ),
        Rule(
            "self.defaults.evaluation.targets.all(t, self.evaluators.exists(e, e.name == t.runtime))",
            "defaults.evaluation.targets[].runtime must name an entry of spec.evaluators",
            field_path=".defaults.evaluation",
        ),
        Rule(
            "self.defaults.evaluation.targets.all(t, t.format in self.defaults.export.formats)",
            "the format of every default evaluation target must be in defaults.export.formats",
            field_path=".defaults.export",
        ),
    )

    allowed_namespaces: Annotated[
        LabelSelector | None,
        Field(description="Namespaces whose jobs may use this runtime, by label. Absent: every one."),
    ] = None
    runner: Annotated[Runner, Field(description="The image that trains and quantises.")]
    methods: Annotated[
        tuple[StepType, ...],
        Field(min_length=1, max_length=5, description="Types of steps the runner offers."),
        SET_LIST,
    ] = ("Distill", "Prune", "PTQ", "QAT")
    observers: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=40)], ...],
        Field(max_length=32, description="Observers and fake quantisers the runner offers."),
        SET_LIST,
    ] = (
        "AVG",
        "AbsMax",
        "EMD",
        "Hist",
        "KL",
        "MSE",
        "AbsMaxChannelWise",
        "ChannelWiseAbsMax",
        "MovingAvgAbsMax",
        "LSQplus",
        "PACT",
    )
    evaluators: Annotated[
        tuple[Evaluator, ...],
        Field(min_length=1, max_length=8, description="Images that measure."),
        map_list("name"),
    ]
    serving_bases: Annotated[
        tuple[ServingBase, ...],
        Field(min_length=1, max_length=8, description="Images that serve; the first is the default."),
        map_list("name"),
    ]
    tools: Annotated[Tools, Field(description="The image that resolves, packages and scans.")]
    allow: Annotated[Allow, Field(description="What jobs may use.")]
    defaults: Annotated[Defaults, Field(description="What a job leaves out.")]
    floor: Annotated[Floor, Field(description="Rules that no job can loosen.")] = Floor()
    trust: Annotated[Trust, Field(description="Which certificates the pods believe.")] = Trust()

    def evaluator(self, name: str) -> Evaluator | None:
        """The evaluator of that name."""
        return next((entry for entry in self.evaluators if entry.name == name), None)

    def serving_base(self, name: str | None) -> ServingBase | None:
        """The serving base of that name; for None the default, which is the first where none is set."""
        wanted = name or self.defaults.serving_base or self.serving_bases[0].name
        return next((entry for entry in self.serving_bases if entry.name == wanted), None)


class CompressionRuntimeStatus(ApiModel):
    """What the operator says of the runtime."""

    observed_generation: Annotated[Count | None, Field(description="metadata.generation this speaks of.")] = (
        None
    )
    conditions: Annotated[Conditions, Field(description="Valid.")] = ()


class CompressionRuntime(Resource):
    """Images by digest, allowlists and defaults for CompressionJobs."""

    info = KindInfo(
        kind="CompressionRuntime",
        plural="compressionruntimes",
        short_name="crt",
        scope="Cluster",
        categories=("modelops",),
        columns=(
            Column("Runner", ".spec.runner.framework"),
            Column("Valid", '.status.conditions[?(@.type=="Valid")].status'),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Image", ".spec.runner.image", priority=1),
        ),
        description=(
            "CompressionRuntime is the administrator's side of a CompressionJob: images by digest, "
            "what jobs may "
            "use, and what they get where they say nothing."
        ),
    )

    metadata: ObjectMeta
    spec: Annotated[CompressionRuntimeSpec, Field(description="Images, allowlists and defaults.")]
    status: Annotated[CompressionRuntimeStatus, Field(description="What the operator says of it.")] = (
        CompressionRuntimeStatus()
    )
