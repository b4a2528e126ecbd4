"""The rule that keeps a section of a CompressionJob as it was created, as batch/v1 Job does."""

from __future__ import annotations

from compression_operator.api.base import Rule

HOW_TO_CHANGE = (
    "is immutable; delete the job and create it again, or create a new job with another name "
    "(GitOps: kustomize nameSuffix)"
)


def immutable(section: str) -> tuple[Rule, ...]:
    """The rule for `spec.<section>`; its message says how to go on."""
    return (Rule("self == oldSelf", f"spec.{section} {HOW_TO_CHANGE}", reason="FieldValueForbidden"),)
