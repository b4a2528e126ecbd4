"""Names of the objects that the operator makes: each is a function of what the object is for.

Owns every deterministic name; creating one twice is creating it once. Must not look at a cluster.
"""

from __future__ import annotations

from typing import Final

from compression_contract.base import digest_of_json

ROLE_SHORT: Final = {
    "resolve": "rsv",
    "preflight": "pre",
    "train": "trn",
    "evaluate": "ev",
    "package": "pkg",
    "scan": "scan",
    "report": "rep",
    "probe": "probe",
}
"""The role's word within a name; an admission policy looks for it there."""

MAX_JOB_NAME: Final = 57
"""The Job controller appends a dash and five characters to name a pod; 63 is the limit of a label."""


def _cut(text: str, limit: int) -> str:
    return text[:limit].rstrip("-.")


def _uid(uid: str) -> str:
    return uid.replace("-", "").lower()[:6]


def child_job(owner: str, owner_uid: str, role: str, key: str) -> str:
    """The name of a child Job: `<owner>-<uid>-<role>-<hash>`, at most 57 characters.

    `key` tells apart the children of one owner and role: stage, attempt and input hash. The owner's uid keeps
    a re-created owner away from its predecessor's dying children.
    """
    digest = digest_of_json([owner_uid, role, key]).removeprefix("sha256:")[:8]
    return f"{_cut(owner, 28)}-{_uid(owner_uid)}-{ROLE_SHORT[role]}-{digest}"


def ranks_service(owner: str, owner_uid: str) -> str:
    """The name of a run's headless Service: it begins with a letter, as names of Services must."""
    return f"ranks-{_cut(owner, 40)}-{_uid(owner_uid)}"


def preview(deployment: str, promotion_uid: str) -> str:
    """The name of a preview Deployment: its pods' names, with two more suffixes, still fit a label."""
    return f"{_cut(deployment, 36)}-preview-{_uid(promotion_uid)}"


def model_version(model: str, manifest_digest: str) -> str:
    """The name of a ModelVersion: the same image of the same model is the same object."""
    return f"{_cut(model, 40)}-{manifest_digest.removeprefix('sha256:')[:12]}"


def promotion(target: str, manifest_digest: str, number: int = 0) -> str:
    """The name of a Promotion of an image to a target; number 0 is the one that nobody typed."""
    return f"{_cut(target, 40)}-{manifest_digest.removeprefix('sha256:')[:10]}-{number}"


def image_tag(model: str, version: str, artifact_digest: str) -> str:
    """The tag of a model image: readable, and unique by the artifact within it, as every name here.

    Source of the alphabet: OCI distribution specification, "Pulling manifests" (`[a-zA-Z0-9._-]`).
    """
    readable = f"{model}-{version}" if version else model
    # SemVer allows "+build", a tag does not.
    return f"{_cut(readable.replace('+', '-'), 100)}-{artifact_digest.removeprefix('sha256:')[:12]}"
