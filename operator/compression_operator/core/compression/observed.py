"""What a decision about a CompressionJob may look at.

Owns the shape that the cluster layer fills. Must not know how it is fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from compression_operator.api.compressionjob import CompressionJobSpec, CompressionJobStatus
from compression_operator.api.compressionruntime import CompressionRuntimeSpec
from compression_operator.core.observed import ChildJob, Identity


@dataclass(frozen=True, slots=True)
class Runtime:
    """The CompressionRuntime that the job names, as it is now."""

    name: str
    generation: int
    spec: CompressionRuntimeSpec


@dataclass(frozen=True, slots=True)
class ObservedCompression:
    """One CompressionJob and everything around it that a decision depends on."""

    identity: Identity
    spec: CompressionJobSpec
    status: CompressionJobStatus
    runtime: Runtime | None = None
    """None: there is no CompressionRuntime of that name."""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    children: tuple[ChildJob, ...] = ()
    """Every Job whose controller owner is this object."""
    model_version: Mapping[str, Any] | None = None
    """The ModelVersion of this run's image, whoever wrote it; None: there is none, or no image yet."""
    promotions: tuple[Mapping[str, Any], ...] = ()
    """Those Promotions of this run's image to this job's targets that exist."""
    target_uids: Mapping[str, str] = field(default_factory=dict)
    """uid of each ServingTarget that the job names and that exists."""
    keep_finished: timedelta = timedelta(hours=1)
    """How long finished children stay after the job's end, for a look at them."""
    conflicts: frozenset[str] = frozenset()
    """`Kind/name` of objects that a create found to be somebody else's."""

    def child(self, name: str) -> ChildJob | None:
        """The child of that name, or None."""
        return next((child for child in self.children if child.name == name), None)
