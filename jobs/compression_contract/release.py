"""What a pod of the tools' image is asked to do with a measured candidate: package, scan, probe.

Owns the inputs of those stages. They are part of `inputs.StageParameters`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from compression_contract.artifacts import ArtifactRef
from compression_contract.base import Digest, Frozen, ImageReference
from compression_contract.methods import Count, Positive
from compression_contract.served_model import Tolerance


class PackageInput(Frozen):
    """Append the model to the serving base and push it."""

    stage: Literal["package"] = "package"
    model: str
    version: str = ""
    candidate: ArtifactRef
    evaluation: ArtifactRef
    serving_base: ImageReference
    repository: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+$")]
    tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    labels: dict[str, str] = {}
    format: str = "ONNXQDQ"
    threads: Count = 1
    tolerance: Tolerance = Tolerance()


class ScanException(Frozen):
    """A finding that somebody accepted, until a day."""

    id: str
    purl: str = ""
    reason: str
    expires: str


class ScanInput(Frozen):
    """Scan an image by digest and attach its bill of materials."""

    stage: Literal["scan"] = "scan"
    image: ImageReference
    server: str
    """The scanner's address, from the CompressionRuntime."""
    exceptions: tuple[ScanException, ...] = ()
    ignore_unfixed: bool = False
    sbom_format: Literal["CycloneDX", "SPDX"] = "CycloneDX"
    attach_sbom: bool = True


class ProbeSubject(Frozen):
    """A pod to question."""

    name: Annotated[str, StringConstraints(max_length=63)]
    address: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]{3,45}$")]
    """An IP address of a pod, never a name or a URL."""


class ProbePaths(Frozen):
    """Where the server answers, on the pod's own port."""

    ready: str = "/v2/health/ready"
    metadata: str = ""
    """Empty is ``/v2/models/<model>``."""
    golden: str = "/golden"
    predict: str = ""
    """Empty is ``/v2/models/<model>/infer``."""


class ProbeInput(Frozen):
    """Ask pods for the golden predictions, once or again and again for a while."""

    stage: Literal["probe"] = "probe"
    model: str
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    paths: ProbePaths = ProbePaths()
    subjects: Annotated[tuple[ProbeSubject, ...], Field(min_length=1, max_length=16)]
    """Pods that must answer as expected."""
    live: Annotated[tuple[ProbeSubject, ...], Field(max_length=4)] = ()
    """Pods of the present release: their answers are compared and reported, not judged."""
    artifact_digest: Digest
    golden_digest: Digest
    tolerance: Tolerance = Tolerance()
    max_latency_p95_ms: Positive | None = None
    duration_seconds: Annotated[int, Field(ge=0, le=86400)] = 0
    """0 is one pass; otherwise passes go on, every `interval_seconds`, until a failure or the end."""
    interval_seconds: Positive = 5.0
    failure_limit: Annotated[int, Field(ge=0)] = 0
    error_limit: Annotated[int, Field(ge=0)] = 3
    """Passes in which a pod may be out of reach: no answer is no wrong answer, a network has hiccups."""
