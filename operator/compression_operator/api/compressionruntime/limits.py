"""What a CompressionRuntime lets jobs do: where they write and push, what none can loosen, whom to trust."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, Rule, map_list
from compression_operator.api.compressionjob.release import NO_LIMIT
from compression_operator.api.meta import QuantityMap
from compression_operator.api.scalars import Label40, Label63

NAMESPACE = "{namespace}"
"""Stands for the job's namespace in prefixes."""
ANY_NAMESPACE = "*"
"""Key of an allowlist's entry that holds for every namespace."""
Prefixes = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=512)], ...], Field(max_length=16)]
PrefixesByNamespace = Annotated[dict[str, Prefixes], Field(max_length=256)]


def allowed_prefixes(allowlist: dict[str, Prefixes], namespace: str) -> tuple[str, ...]:
    """The prefixes that hold for a namespace: its own entry and that of `*`, with `{namespace}` filled in.

    Each ends in a slash, so that team-a never reaches into team-a-secret.
    """
    found = (*allowlist.get(namespace, ()), *allowlist.get(ANY_NAMESPACE, ()))
    return tuple(prefix.replace(NAMESPACE, namespace).rstrip("/") + "/" for prefix in found)


class LabelSelector(ApiModel):
    """A selector by labels."""

    match_labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(min_length=1, max_length=16, description="Labels that must all be there."),
    ]


class StorageEndpoint(ApiModel):
    """One S3 service, and who may write where in it."""

    name: Annotated[Label40, Field(description="Name that storage.endpointName gives.")]
    url: Annotated[
        str,
        Field(
            max_length=260,
            pattern=r"^https?://[^\s/?#@]+$",
            description="Address; scheme, host and port only.",
        ),
    ]
    region: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9-]*$", description="Region.")] = "us-east-1"
    prefixes: Annotated[
        PrefixesByNamespace,
        Field(
            description="By namespace, or * for every one: prefixes such as s3://{namespace}/ under "
            "which its jobs "
            "may write; {namespace} stands for the job's own."
        ),
    ]

    def allows(self, namespace: str, uri: str) -> bool:
        """Whether a job of this namespace may write to `uri`."""
        return f"{uri}/".startswith(allowed_prefixes(self.prefixes, namespace))


class Allow(ApiModel):
    """What jobs may use."""

    storage_endpoints: Annotated[
        tuple[StorageEndpoint, ...],
        Field(min_length=1, max_length=16, description="S3 services; the first is the default."),
        map_list("name"),
    ]
    repositories: Annotated[
        PrefixesByNamespace,
        Field(
            description="By namespace, or * for every one: prefixes such as "
            "registry.example.com/{namespace}/ "
            "under which its jobs may push."
        ),
    ]
    priority_classes: Annotated[
        tuple[Label63, ...], Field(max_length=16, description="Priority classes jobs may name."), SET_LIST
    ] = ()
    max_resources: Annotated[
        QuantityMap | None, Field(description="Largest limits a pod template may ask for.")
    ] = None

    def allows_repository(self, namespace: str, repository: str) -> bool:
        """Whether a job of this namespace may push to `repository`."""
        return f"{repository}/".startswith(allowed_prefixes(self.repositories, namespace))

    def endpoint(self, name: str | None) -> StorageEndpoint | None:
        """The endpoint of that name, the first one for None, or None where there is none."""
        wanted = name or self.storage_endpoints[0].name
        return next((entry for entry in self.storage_endpoints if entry.name == wanted), None)


Ceiling = Annotated[int, Field(ge=NO_LIMIT, le=1_000_000)]


class VulnerabilityFloor(ApiModel):
    """Largest accepted numbers whatever a job says; -1: no limit."""

    critical: Annotated[Ceiling, Field(description="Findings of severity CRITICAL.")] = NO_LIMIT
    high: Annotated[Ceiling, Field(description="Findings of severity HIGH.")] = NO_LIMIT
    medium: Annotated[Ceiling, Field(description="Findings of severity MEDIUM.")] = NO_LIMIT
    low: Annotated[Ceiling, Field(description="Findings of severity LOW.")] = NO_LIMIT
    unknown: Annotated[Ceiling, Field(description="Findings without a severity.")] = NO_LIMIT


class Floor(ApiModel):
    """Rules that no job can loosen."""

    vulnerabilities: Annotated[
        VulnerabilityFloor, Field(description="Largest accepted numbers of findings.")
    ] = VulnerabilityFloor()
    require_signature: Annotated[bool, Field(description="Release only what a hook has signed.")] = False
    max_exception_days: Annotated[
        int, Field(ge=0, le=3650, description="How far in the future an exception may expire.")
    ] = 90


class Trust(ApiModel):
    """Which certificates the pods believe."""

    ca_bundle: Annotated[
        str,
        Field(
            max_length=65_536,
            description="Certificates in PEM, for the object store, the registry and the scanner, "
            "added to the "
            "image's own.",
        ),
        Rule(
            "self == '' || self.contains('-----BEGIN CERTIFICATE-----')",
            "caBundle holds certificates in PEM, starting with -----BEGIN CERTIFICATE-----",
        ),
    ] = ""
