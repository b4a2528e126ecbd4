"""Promotion: one attempt to bring one release to one target.

Its status is a journal: what was intended is written before it is done.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import ApiModel, Column, KindInfo, Resource, Rule, map_list
from compression_operator.api.meta import Conditions, NamedRef, ObjectMeta
from compression_operator.api.scalars import Count, Digest, Label63, Time

PromotionState = Literal[
    "Waiting",
    "Preflight",
    "Shifting",
    "Settling",
    "RollingBack",
    "Succeeded",
    "RolledBack",
    "Failed",
    "Superseded",
    "Aborted",
]
Name = Annotated[str, Field(max_length=63)]
Text64 = Annotated[str, Field(max_length=64)]
Text256 = Annotated[str, Field(max_length=256)]
Text512 = Annotated[str, Field(max_length=512)]
Small = Annotated[int, Field(ge=0, le=1000)]


class ModelVersionRef(ApiModel):
    """A ModelVersion, possibly of another namespace."""

    namespace: Annotated[
        Label63,
        Field(
            description="Its namespace; another one than this must be listed in spec.accepts of the target."
        ),
    ]
    name: Annotated[Label63, Field(description="Its name.")]


class RequestedBy(ApiModel):
    """Who asked."""

    kind: Annotated[
        Literal["User", "CompressionJob"],
        Field(description="A person, or a job with promotion.mode: Request."),
    ] = "User"
    name: Annotated[Name | None, Field(description="Name of the job.")] = None
    uid: Annotated[Text64 | None, Field(description="uid of the job.")] = None
    user: Annotated[
        Annotated[str, Field(max_length=253)] | None, Field(description="Name of the person.")
    ] = None


class Approval(ApiModel):
    """One person's word on this release at this target."""

    user: Annotated[
        Annotated[str, Field(min_length=1, max_length=253)],
        Field(description="Who says it; an admission policy compares it with the author of the request."),
    ]
    decision: Annotated[Literal["Approve", "Reject"], Field(description="Yes or no.")]
    image_digest: Annotated[
        Digest, Field(description="Digest that was looked at; it must be the promotion's.")
    ]
    comment: Annotated[Annotated[str, Field(max_length=512)], Field(description="Why.")] = ""
    at: Annotated[Time | None, Field(description="When.")] = None


class PromotionSpec(ApiModel):
    """What is to go where; immutable but for release, abort and further approvals."""

    rules = (
        Rule(
            "oldSelf.approvals.all(a, self.approvals.exists(b, b == a))",
            "approvals may only be added: create another Promotion to decide anew",
            field_path=".approvals",
            reason="FieldValueForbidden",
        ),
        *(
            Rule(
                f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == "
                f"oldSelf.{name})",
                f"spec.{name} is immutable; create another Promotion",
                reason="FieldValueForbidden",
            )
            for name in (
                "targetRef",
                "modelVersionRef",
                "imageDigest",
                "orderKey",
                "intent",
                "requestedBy",
                "approvalsRequired",
            )
        ),
    )

    target_ref: Annotated[NamedRef, Field(description="The ServingTarget, in this namespace.")]
    model_version_ref: Annotated[ModelVersionRef, Field(description="The release.")]
    image_digest: Annotated[
        Digest,
        Field(description="Digest of its image, copied; another one in the record ends in DigestMismatch."),
    ]
    order_key: Annotated[
        str,
        Field(
            max_length=128,
            pattern=r"^[0-9A-Za-z:./-]*$",
            description="Its place in the order of intent, such as 2026-11-21T10:00:00Z/<uid>. A "
            "forward promotion "
            "at or below the target's watermark is Superseded. Empty: the time of this object's creation.",
        ),
    ] = ""
    intent: Annotated[
        Literal["Forward", "Rollback", "Retry"],
        Field(
            description="Forward: in order. Rollback: go back on purpose. Retry: again, though it "
            "failed here before."
        ),
    ] = "Forward"
    requested_by: Annotated[RequestedBy, Field(description="Who asked.")] = RequestedBy()
    approvals_required: Annotated[
        int, Field(ge=0, le=16, description="Least number of approvals; it can only raise the target's own.")
    ] = 0
    approvals: Annotated[
        tuple[Approval, ...],
        Field(max_length=16, description="What people said; who may is a matter of the verb approve."),
        map_list("user"),
    ] = ()
    release: Annotated[bool, Field(description="Whether it may start.")] = True
    abort: Annotated[
        bool,
        Field(description="Give up: before traffic moved it ends, after that it rolls back. One-way."),
        Rule("!oldSelf || self", "abort is one-way: create another Promotion"),
    ] = False


class Before(ApiModel):
    """What was live before, written before the first effect."""

    deployment_uid: Annotated[Text64, Field(alias="deploymentUID", description="uid of the Deployment.")]
    image: Annotated[Annotated[str, Field(max_length=400)], Field(description="Its image.")]
    model_version: Annotated[Name | None, Field(description="Its ModelVersion, where it was one.")] = None
    available: Annotated[
        bool, Field(description="Whether a replica was available; false: there was nothing to go back to.")
    ] = True


class JournalObject(ApiModel):
    """What an effect is about."""

    kind: Annotated[Name, Field(description="Its kind.")]
    name: Annotated[Name, Field(description="Its name.")]
    uid: Annotated[Text64 | None, Field(description="Its uid.")] = None


class JournalEntry(ApiModel):
    """One effect."""

    seq: Annotated[Count, Field(description="Its number, from 1.")]
    effect: Annotated[Name, Field(description="What is done, such as CreatePreview.")]
    object: Annotated[JournalObject, Field(description="What it is about.")]
    intended: Annotated[Time, Field(description="When it was decided.")]
    done: Annotated[Time | None, Field(description="When it was seen done.")] = None


class CheckCounts(ApiModel):
    """Probes by outcome."""

    successful: Annotated[Small, Field(description="Probes that passed.")] = 0
    failed: Annotated[Small, Field(description="Probes that failed.")] = 0
    inconclusive: Annotated[Small, Field(description="Probes that were neither.")] = 0
    error: Annotated[Small, Field(description="Probes without an answer.")] = 0


class Check(ApiModel):
    """What a probe found."""

    name: Annotated[Text64, Field(description="What was checked.")]
    verdict: Annotated[Literal["Pass", "Fail", "Inconclusive", "Error"], Field(description="What was found.")]
    counts: Annotated[CheckCounts | None, Field(description="Probes by outcome.")] = None
    detail: Annotated[Text256 | None, Field(description="In a sentence.")] = None


class PromotionFailure(ApiModel):
    """Why it did not succeed."""

    reason: Annotated[Text64, Field(description="One CamelCase word.")]
    message: Annotated[Text512, Field(description="What is wrong, where, what to do.")]


class PromotionStatus(ApiModel):
    """Where it stands; nobody but the operator writes it."""

    observed_generation: Annotated[Count | None, Field(description="metadata.generation this speaks of.")] = (
        None
    )
    state: Annotated[PromotionState | None, Field(description="Where it stands.")] = None
    waiting_for: Annotated[
        tuple[Name, ...], Field(max_length=8, description="What it waits for, such as Lock.")
    ] = ()
    before: Annotated[Before | None, Field(description="What was live before.")] = None
    journal: Annotated[
        tuple[JournalEntry, ...], Field(max_length=40, description="What was done, and when.")
    ] = ()
    checks: Annotated[tuple[Check, ...], Field(max_length=16, description="What the probes found.")] = ()
    failure: Annotated[PromotionFailure | None, Field(description="Why it did not succeed.")] = None
    start_time: Annotated[Time | None, Field(description="When it took the lock.")] = None
    completion_time: Annotated[Time | None, Field(description="When it ended.")] = None
    conditions: Annotated[Conditions, Field(description="Verified, Live, Succeeded, RolledBack.")] = ()


class Promotion(Resource):
    """One attempt to bring one release to one target."""

    info = KindInfo(
        kind="Promotion",
        plural="promotions",
        short_name="promo",
        scope="Namespaced",
        categories=("modelops",),
        columns=(
            Column("Target", ".spec.targetRef.name"),
            Column("Version", ".spec.modelVersionRef.name"),
            Column("State", ".status.state"),
            Column("Waiting", ".status.waitingFor[0]"),
            Column("Reason", ".status.failure.reason"),
            Column("By", ".spec.requestedBy.kind"),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Digest", ".spec.imageDigest", priority=1),
        ),
        description="Promotion is one attempt to bring one ModelVersion to one ServingTarget.",
    )

    metadata: ObjectMeta
    spec: Annotated[PromotionSpec, Field(description="What is to go where.")]
    status: Annotated[PromotionStatus, Field(description="Where it stands.")] = PromotionStatus()
