"""ServingTarget: the serving team's consent and terms for changes to one Deployment.

Its status holds the lock, the watermark and the last good release of that Deployment.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, Column, KindInfo, Resource, Rule
from compression_operator.api.compressionjob.gates import Limits
from compression_operator.api.compressionjob.release import NO_LIMIT, Threshold
from compression_operator.api.meta import Conditions, NamedRef, ObjectMeta
from compression_operator.api.scalars import Count, Duration, Label40, Label63, Time

URLPath = Annotated[str, Field(max_length=129, pattern=r"^(/[A-Za-z0-9/._-]{0,128})?$")]
Name = Annotated[str, Field(max_length=63)]
Text253 = Annotated[str, Field(max_length=253)]


class VulnerabilityCeiling(ApiModel):
    """Largest numbers of findings this target accepts; -1: no limit."""

    critical: Annotated[Threshold, Field(description="Findings of severity CRITICAL; -1: no limit.")] = 0
    high: Annotated[Threshold, Field(description="Findings of severity HIGH; -1: no limit.")] = NO_LIMIT
    medium: Annotated[Threshold, Field(description="Findings of severity MEDIUM; -1: no limit.")] = NO_LIMIT
    low: Annotated[Threshold, Field(description="Findings of severity LOW; -1: no limit.")] = NO_LIMIT
    unknown: Annotated[Threshold, Field(description="Findings without a severity; -1: no limit.")] = NO_LIMIT


class Accepts(ApiModel):
    """Which releases may come here."""

    model: Annotated[Label40, Field(description="Name of the model, exactly.")]
    from_namespaces: Annotated[
        tuple[Label63, ...],
        Field(
            max_length=32, description="Namespaces whose ModelVersions may come here. Empty: this one only."
        ),
        SET_LIST,
    ] = ()
    versions: Annotated[
        str | None,
        Field(
            max_length=128,
            pattern=r"^((>=|<=|>|<|==|!=)?[0-9][0-9A-Za-z.+-]*)( (>=|<=|>|<|==|!=)?[0-9][0-9A-Za-z.+-]*)*$",
            description="Range of semantic versions, such as '>=1.0.0 <2.0.0'. Absent: any, also none.",
        ),
    ] = None
    require_signature: Annotated[bool, Field(description="Signed releases only.")] = False
    max_scan_age: Annotated[
        Duration, Field(description="Age of the scan beyond which a release is not taken.")
    ] = timedelta(hours=168)
    max_vulnerabilities: Annotated[
        VulnerabilityCeiling, Field(description="This target's own limits, beside those of the job.")
    ] = VulnerabilityCeiling()


class Strategy(ApiModel):
    """How a release replaces the one before."""

    type: Annotated[
        Literal["Rolling"],
        Field(description="Rolling: prove it in a preview pod, then change the Deployment's image."),
    ] = "Rolling"
    progress_deadline: Annotated[
        Duration,
        Field(description="Longest time for the preview to be ready, and for the rollout to be done."),
    ] = timedelta(minutes=10)
    settle: Annotated[
        Duration, Field(description="How long a finished rollout is watched before it counts as good.")
    ] = timedelta(minutes=10)


class Paths(ApiModel):
    """Where the server answers, on the pod's own port; empty: the path of the Open Inference Protocol."""

    ready: Annotated[URLPath, Field(description="Readiness.")] = "/v2/health/ready"
    metadata: Annotated[URLPath, Field(description="The model's digest. Empty: /v2/models/<model>.")] = ""
    golden: Annotated[URLPath, Field(description="The golden pairs.")] = "/golden"
    predict: Annotated[URLPath, Field(description="Predictions. Empty: /v2/models/<model>/infer.")] = ""


class Verification(ApiModel):
    """How a release is questioned, in the preview and while it settles. Only pods are asked, never a URL."""

    port: Annotated[int, Field(ge=1, le=65535, description="Port of the pods.")] = 8080
    paths: Annotated[Paths, Field(description="Where the server answers.")] = Paths()
    parity: Annotated[
        Literal["Required", "Off"],
        Field(description="Required: pods must give the golden predictions. Off: readiness is enough."),
    ] = "Required"
    max_latency_factor: Annotated[
        float,
        Field(
            gt=0,
            le=1000,
            description="Largest ratio of the 95th percentile to the evaluated one, beside 50 ms for the "
            "request.",
        ),
    ] = 3.0
    limits: Annotated[Limits, Field(description="How many probes may go wrong.")] = Limits(
        failure=0, inconclusive=2, error=3
    )
    interval: Annotated[Duration, Field(description="Time between two probes while it settles.")] = timedelta(
        seconds=30
    )


class Rollback(ApiModel):
    """What happens when a release turns out bad."""

    auto: Annotated[bool, Field(description="Go back to the last good release without being asked.")] = True


class ApprovalPolicy(ApiModel):
    """Who has to agree; who may is a matter of the verb approve on this object."""

    required: Annotated[
        int, Field(ge=0, le=16, description="Least number of approvals that a promotion needs.")
    ] = 0


class ServingTargetSpec(ApiModel):
    """How my Deployment may change."""

    deployment_ref: Annotated[
        NamedRef,
        Field(
            description="The Deployment, in this namespace; it must carry the label "
            "compression.modelops.dev/promotable=true."
        ),
        Rule(
            "self == oldSelf",
            "deploymentRef is immutable: create another ServingTarget for another Deployment",
            reason="FieldValueForbidden",
        ),
    ]
    container: Annotated[
        Label63,
        Field(description="The container whose image is changed."),
        Rule(
            "self == oldSelf",
            "container is immutable: create another ServingTarget",
            reason="FieldValueForbidden",
        ),
    ]
    accepts: Annotated[Accepts, Field(description="Which releases may come here.")]
    auto_promote: Annotated[
        bool,
        Field(
            description="Let jobs promote here without being asked; false: their promotions need an approval."
        ),
    ] = False
    paused: Annotated[bool, Field(description="Stop at the next safe point.")] = False
    approval: Annotated[ApprovalPolicy, Field(description="Who has to agree.")] = ApprovalPolicy()
    strategy: Annotated[Strategy, Field(description="How a release replaces the one before.")] = Strategy()
    verification: Annotated[Verification, Field(description="How a release is questioned.")] = Verification()
    rollback: Annotated[Rollback, Field(description="What happens when a release turns out bad.")] = (
        Rollback()
    )
    conflict_policy: Annotated[
        Literal["Fail", "TakeOver", "Force"],
        Field(
            description="When somebody else owns the image field. TakeOver: from tools that write "
            "once (kubectl, "
            "helm), never from one that reconciles. Force: always. Fail: never."
        ),
    ] = "TakeOver"


class Live(ApiModel):
    """What the Deployment runs."""

    image: Annotated[Annotated[str, Field(max_length=400)], Field(description="Its image.")]
    model_version: Annotated[Name | None, Field(description="The ModelVersion, where it is one.")] = None
    since: Annotated[Time | None, Field(description="Since when.")] = None
    set_by: Annotated[Literal["Operator", "External"] | None, Field(description="Who set it.")] = None


class Good(ApiModel):
    """A release that survived settling, or what was there before the first promotion."""

    model_version: Annotated[Name | None, Field(description="The ModelVersion, where it is one.")] = None
    image: Annotated[Annotated[str, Field(max_length=400)], Field(description="Its image.")]
    since: Annotated[Time | None, Field(description="Since when.")] = None


class Watermark(ApiModel):
    """The highest forward promotion that was let in; it never falls."""

    order_key: Annotated[Annotated[str, Field(max_length=128)], Field(description="Its place in the order.")]
    model_version: Annotated[Name | None, Field(description="Its ModelVersion.")] = None


class Active(ApiModel):
    """The lock: the Promotion that may change the Deployment."""

    promotion: Annotated[Name, Field(description="Name of the Promotion.")]
    uid: Annotated[Annotated[str, Field(max_length=64)], Field(description="Its uid.")]
    acquired: Annotated[Time, Field(description="When it took the lock.")]


class Hold(ApiModel):
    """Why unasked promotions wait."""

    reason: Annotated[
        Literal["ManualRollback", "ExternalChange", "AutoRollback", "Contested"], Field(description="Why.")
    ]
    by: Annotated[Text253 | None, Field(description="Who caused it.")] = None
    since: Annotated[Time, Field(description="Since when; the annotation that releases it names this time.")]
    promotion: Annotated[Name | None, Field(description="The Promotion it came from.")] = None


class Rejected(ApiModel):
    """A release that failed here and is not tried again by itself."""

    model_version: Annotated[Name | None, Field(description="The ModelVersion.")] = None
    digest: Annotated[Annotated[str, Field(max_length=71)], Field(description="Digest of its image.")]
    reason: Annotated[Annotated[str, Field(max_length=64)], Field(description="Why it failed.")]
    at: Annotated[Time, Field(description="When.")]


class HistoryEntry(ApiModel):
    """A finished promotion."""

    promotion: Annotated[Name, Field(description="Name of the Promotion.")]
    model_version: Annotated[Name | None, Field(description="The ModelVersion.")] = None
    result: Annotated[Annotated[str, Field(max_length=32)], Field(description="How it ended.")]
    at: Annotated[Time, Field(description="When.")]


class ServingTargetStatus(ApiModel):
    """The lock and the memory of one Deployment; nobody but the operator writes it."""

    observed_generation: Annotated[Count | None, Field(description="metadata.generation this speaks of.")] = (
        None
    )
    live: Annotated[Live | None, Field(description="What the Deployment runs.")] = None
    last_good: Annotated[Good | None, Field(description="What a rollback goes back to.")] = None
    previous_good: Annotated[Good | None, Field(description="The one before.")] = None
    watermark: Annotated[Watermark | None, Field(description="The highest promotion that was let in.")] = None
    active: Annotated[Active | None, Field(description="The lock.")] = None
    hold: Annotated[Hold | None, Field(description="Why unasked promotions wait.")] = None
    rejected: Annotated[
        tuple[Rejected, ...], Field(max_length=20, description="Releases that failed here.")
    ] = ()
    history: Annotated[
        tuple[HistoryEntry, ...], Field(max_length=10, description="Finished promotions, latest last.")
    ] = ()
    conditions: Annotated[
        Conditions, Field(description="Ready, TargetFound, PermissionGranted, FieldOwned, Held, Degraded.")
    ] = ()


class ServingTarget(Resource):
    """Consent and terms for changes to one Deployment."""

    info = KindInfo(
        kind="ServingTarget",
        plural="servingtargets",
        short_name="svt",
        scope="Namespaced",
        categories=("modelops",),
        columns=(
            Column("Deployment", ".spec.deploymentRef.name"),
            Column("Model", ".spec.accepts.model"),
            Column("Live", ".status.live.modelVersion"),
            Column("Strategy", ".spec.strategy.type"),
            Column("Hold", ".status.hold.reason"),
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Image", ".status.live.image", priority=1),
        ),
        description=(
            "ServingTarget is the serving team's consent and terms for changes to one Deployment. "
            "Without it "
            "nothing is ever promoted there."
        ),
    )

    metadata: ObjectMeta
    spec: Annotated[ServingTargetSpec, Field(description="How my Deployment may change.")]
    status: Annotated[ServingTargetStatus, Field(description="The lock and the memory.")] = (
        ServingTargetStatus()
    )
