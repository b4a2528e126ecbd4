"""How the result of a CompressionJob is released: packaging, scan, signature, promotion."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import ApiModel, Rule, map_list
from compression_operator.api.compressionjob.immutable import immutable
from compression_operator.api.meta import NamedRef
from compression_operator.api.scalars import Digest, Duration, Label20, Label40, Label63, Repository, Time

Threshold = Annotated[int, Field(ge=-1, le=1_000_000)]
NO_LIMIT = -1


class RegistrySecretRef(ApiModel):
    """The Secret with the credentials of the registry."""

    name: Annotated[
        Label63,
        Rule(
            "self.startsWith('compression-registry-')",
            "a Secret is usable only if its owner named it compression-registry-*",
        ),
        Field(
            description="Secret of type kubernetes.io/dockerconfigjson in this namespace; its name "
            "must start with "
            "compression-registry-, which is how its owner agrees to this use."
        ),
    ]


class Packaging(ApiModel):
    """How the model becomes a serving image; what is left out comes from the CompressionRuntime."""

    rules = immutable("packaging")

    target: Annotated[
        Label20 | None,
        Field(description="Evaluation target whose file is shipped. Default: the first."),
    ] = None
    serving_base: Annotated[
        Label40 | None,
        Field(description="Serving base of the runtime, by name. Default: spec.defaults.servingBase."),
    ] = None
    repository: Annotated[
        Repository | None,
        Field(
            description="Repository to push to, without tag or digest, under a prefix that the "
            "runtime allows this "
            "namespace. Default: spec.defaults.repositoryPrefix of the runtime and the model's name."
        ),
    ] = None
    push_secret_ref: Annotated[
        RegistrySecretRef | None,
        Field(description="Credentials of the registry. Default: spec.defaults.secrets of the runtime."),
    ] = None
    labels: Annotated[
        dict[str, Annotated[str, Field(max_length=256)]] | None,
        Field(max_length=16, description="Further labels of the image; org.opencontainers.* are reserved."),
        Rule(
            "self.all(k, !k.startsWith('org.opencontainers.'))",
            "org.opencontainers.* labels are reserved: use another prefix",
        ),
    ] = None


class Thresholds(ApiModel):
    """Largest accepted number of findings by severity; -1: no limit."""

    critical: Annotated[Threshold, Field(description="Findings of severity CRITICAL; -1: no limit.")] = 0
    high: Annotated[Threshold, Field(description="Findings of severity HIGH; -1: no limit.")] = 0
    medium: Annotated[Threshold, Field(description="Findings of severity MEDIUM; -1: no limit.")] = NO_LIMIT
    low: Annotated[Threshold, Field(description="Findings of severity LOW; -1: no limit.")] = NO_LIMIT
    unknown: Annotated[Threshold, Field(description="Findings without a severity; -1: no limit.")] = NO_LIMIT


class ScanException(ApiModel):
    """One finding that somebody decided to accept for a while."""

    id: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[A-Z][A-Za-z0-9-]{3,63}$",
            description="Its name, such as CVE-2026-0001.",
        ),
    ]
    purl: Annotated[
        str | None,
        Field(
            max_length=512,
            pattern=r"^pkg:",
            description="Only in this package (package URL); absent: in any.",
        ),
    ] = None
    reason: Annotated[str, Field(min_length=3, max_length=512, description="Why it is accepted.")]
    expires: Annotated[
        Time,
        Field(
            description="Until when; the runtime's floor.maxExceptionDays limits how far away that may be."
        ),
    ]


class VexSource(ApiModel):
    """Where an OpenVEX document lies."""

    name: Annotated[Label63, Field(description="Name of the ConfigMap, in this namespace.")]
    key: Annotated[
        str,
        Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$", description="Key within its data."),
    ]


class Vex(ApiModel):
    """One statement of a supplier on which findings do not apply."""

    config_map_ref: Annotated[VexSource, Field(description="Where the document lies.")]
    digest: Annotated[Digest, Field(description="sha256 of the document.")]


class SBOM(ApiModel):
    """The software bill of materials."""

    format: Annotated[Literal["CycloneDX", "SPDX"], Field(description="Format of the document.")] = (
        "CycloneDX"
    )
    attach: Annotated[bool, Field(description="Push it beside the image, as its referrer.")] = True


class Scan(ApiModel):
    """How the pushed image is scanned for vulnerabilities."""

    rules = immutable("scan")

    thresholds: Annotated[
        Thresholds,
        Field(
            description="Largest accepted numbers; the runtime's floor.vulnerabilities wins where it "
            "is lower."
        ),
    ] = Thresholds()
    ignore_unfixed: Annotated[
        bool, Field(description="Leave findings without a fix out of the thresholds; they are still counted.")
    ] = False
    exceptions: Annotated[
        tuple[ScanException, ...],
        Field(max_length=50, description="Findings accepted for a while."),
        map_list("id"),
    ] = ()
    vex: Annotated[tuple[Vex, ...] | None, Field(max_length=4, description="OpenVEX documents to apply.")] = (
        None
    )
    max_database_age: Annotated[
        Duration, Field(description="Age of the vulnerability database beyond which a scan is inconclusive.")
    ] = timedelta(hours=24)
    fail_on_end_of_life: Annotated[
        bool,
        Field(
            description="Fail where the base system is past its end of life. Unknown system: inconclusive."
        ),
    ] = True
    sbom: Annotated[SBOM, Field(description="The software bill of materials.")] = SBOM()


class Signing(ApiModel):
    """Which hook signs the image."""

    rules = (*immutable("signing"), Rule("!self.required || self.hook != ''", "required: true needs a hook"))

    hook: Annotated[
        str,
        Field(
            max_length=40,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$",
            description="Signing hook of the runtime, by name; empty: none.",
        ),
    ] = ""
    required: Annotated[bool, Field(description="Release only what was signed.")] = False


class PromotionRequest(ApiModel):
    """Where the released version should go live."""

    rules = (
        *immutable("promotion"),
        Rule(
            "self.mode != 'Request' || self.targets.size() > 0",
            "mode: Request needs at least one target: name a ServingTarget of this namespace",
        ),
    )

    mode: Annotated[
        Literal["None", "Request"],
        Field(description="None: stop at the ModelVersion. Request: ask for its promotion to the targets."),
    ] = "None"
    targets: Annotated[
        tuple[NamedRef, ...],
        Field(max_length=8, description="ServingTargets in this namespace."),
        map_list("name"),
    ] = ()
    approvals: Annotated[
        int, Field(ge=0, le=16, description="Least number of approvals; it can only raise the target's own.")
    ] = 0
