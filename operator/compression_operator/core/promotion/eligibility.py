"""Whether a release may go to a target at all: consent, content, freshness.

Owns the checks that are made before a Deployment is touched. Each refusal has a reason and a sentence. A
release that does not exist and one that the target does not accept get the same answer, so that names of
other namespaces cannot be probed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from compression_operator.api.meta import SEVERITIES
from compression_operator.api.modelversion import ModelVersionSpec
from compression_operator.api.scalars import format_duration
from compression_operator.core.promotion.observed import ObservedPromotion, ObservedTarget
from compression_operator.core.promotion.versions import satisfies


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a release does not go to a target."""

    reason: str
    message: str


def refusal(target: ObservedTarget, promotion: ObservedPromotion, now: datetime) -> Refusal | None:
    """The first reason against this promotion; None if there is none."""
    version = promotion.version
    accepted = _accepted(target, promotion)
    if version is None or not accepted:
        reference = promotion.spec.model_version_ref
        return Refusal(
            "NotAccepted",
            f"ModelVersion {reference.namespace}/{reference.name} does not exist or this target does not "
            f"accept it; see spec.accepts of the ServingTarget {target.identity.name}",
        )
    return (
        _content(target, promotion, version)
        or _rejected(target, promotion, version)
        or _scan(target, version, now)
    )


def _accepted(target: ObservedTarget, promotion: ObservedPromotion) -> bool:
    accepts, reference = target.spec.accepts, promotion.spec.model_version_ref
    allowed = accepts.from_namespaces or (target.identity.namespace,)
    return (
        reference.namespace in allowed
        and promotion.version is not None
        and promotion.version.model == accepts.model
    )


def _content(
    target: ObservedTarget, promotion: ObservedPromotion, version: ModelVersionSpec
) -> Refusal | None:
    if version.image.manifest_digest != promotion.spec.image_digest:
        return Refusal(
            "DigestMismatch",
            f"the Promotion asks for {promotion.spec.image_digest}, the ModelVersion records "
            f"{version.image.manifest_digest}; create a new Promotion",
        )
    if version.revoked is not None:
        return Refusal("Revoked", f"the release was revoked: {version.revoked.reason}")
    wanted = target.spec.accepts.versions
    if wanted and not satisfies(version.version or "", wanted):
        return Refusal(
            "VersionNotAccepted", f"version {version.version or '(none)'} is not within {wanted!r}"
        )
    if target.spec.accepts.require_signature and version.signature is None:
        return Refusal("SignatureRequired", "this target accepts signed releases only")
    return None


def _rejected(
    target: ObservedTarget, promotion: ObservedPromotion, version: ModelVersionSpec
) -> Refusal | None:
    if promotion.spec.intent == "Retry":
        return None
    for entry in target.status.rejected:
        if entry.digest == version.image.manifest_digest:
            return Refusal(
                "Rejected",
                f"this image was rejected here before ({entry.reason}); it is not tried again by itself: "
                "create a Promotion with intent: Retry",
            )
    return None


def _scan(target: ObservedTarget, version: ModelVersionSpec, now: datetime) -> Refusal | None:
    limit = target.spec.accepts.max_scan_age
    if now - version.scan.scanned_at > limit:
        return Refusal(
            "ScanTooOld",
            f"the image was scanned at {version.scan.scanned_at:%Y-%m-%dT%H:%M:%SZ}, longer ago than "
            f"{format_duration(limit)}; run the job again, or raise spec.accepts.maxScanAge",
        )
    floor = target.spec.accepts.max_vulnerabilities
    for severity in SEVERITIES:
        allowed, found = getattr(floor, severity), getattr(version.scan.counts, severity)
        if 0 <= allowed < found:
            return Refusal("Vulnerable", f"{found} {severity} findings, this target allows {allowed}")
    return None
