"""The parts of Kubernetes' own API that this project's kinds share: metadata, references, conditions.

Reads what the operator needs of them and nothing more.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from compression_operator.api.base import ApiModel, map_list
from compression_operator.api.scalars import Count, Label63, Quantity, Time


class OwnerReference(ApiModel):
    """One entry of `metadata.ownerReferences`."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


class ObjectMeta(ApiModel):
    """What the operator reads of `metadata`; the API server owns the whole of it."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class Condition(ApiModel):
    """One standard condition (apimachinery `metav1.Condition`)."""

    type: Annotated[str, Field(min_length=1, max_length=316, description="What the condition speaks of.")]
    status: Annotated[
        Literal["True", "False", "Unknown"], Field(description="Whether it holds; Unknown: not to be said.")
    ]
    reason: Annotated[
        str, Field(min_length=1, max_length=1024, description="One CamelCase word for programs.")
    ]
    message: Annotated[
        str, Field(max_length=4096, description="A sentence for people: what is wrong, where, what to do.")
    ]
    last_transition_time: Annotated[Time, Field(description="When `status` last changed.")]
    observed_generation: Annotated[
        Count | None, Field(description="metadata.generation this was said about.")
    ] = None


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16), map_list("type")]


SEVERITIES: Final = ("critical", "high", "medium", "low", "unknown")
"""The severities that findings are counted by, worst first."""


class Counts(ApiModel):
    """Vulnerabilities by severity."""

    critical: Annotated[int, Field(ge=0, le=10**6, description="Findings of severity CRITICAL.")] = 0
    high: Annotated[int, Field(ge=0, le=10**6, description="Findings of severity HIGH.")] = 0
    medium: Annotated[int, Field(ge=0, le=10**6, description="Findings of severity MEDIUM.")] = 0
    low: Annotated[int, Field(ge=0, le=10**6, description="Findings of severity LOW.")] = 0
    unknown: Annotated[int, Field(ge=0, le=10**6, description="Findings without a severity.")] = 0


class NamedRef(ApiModel):
    """A reference by name within one namespace."""

    name: Annotated[Label63, Field(description="Name of the object, in the same namespace.")]


class RuntimeRef(ApiModel):
    """A reference to a CompressionRuntime, which is cluster-scoped."""

    name: Annotated[Label63, Field(description="Name of the CompressionRuntime.")] = "default"


QuantityMap = Annotated[dict[str, Quantity], Field(max_length=8)]


class Resources(ApiModel):
    """Compute resources of a container (core/v1 `ResourceRequirements`)."""

    requests: Annotated[
        QuantityMap | None, Field(description="What the scheduler reserves, such as cpu: '1', memory: 2Gi.")
    ] = None
    limits: Annotated[QuantityMap | None, Field(description="What the container may use at most.")] = None
