"""The release: the ModelVersion, the Promotions it asks for, and the end of the job.

Owns the order publish, promote, complete: each is created before the next is said, and Complete is said only
when all of it was read back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from compression_operator.api.compressionjob.status import ObjectRef, PromotionRecord
from compression_operator.core import names
from compression_operator.core.actions import Create
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.words import On, Why
from compression_operator.core.manifests.model_version import model_version, same_release
from compression_operator.core.manifests.promotion import Release, promotion

WAITING: Final = "Waiting"
SUCCEEDED: Final = "Succeeded"
UNSUCCESSFUL: Final = frozenset({"RolledBack", "Failed", "Superseded", "Aborted"})


def publish(passage: Passage) -> None:
    """Bring the release into being, or say that it is there and end the job."""
    identity = passage.observed.identity
    wanted = model_version(identity, passage.plan, passage.status)
    existing = passage.observed.model_version
    name = wanted["metadata"]["name"]
    if existing is not None and not same_release(existing, wanted):
        passage.say(On.PUBLISHED, "False", Why.NAME_CONFLICT, f"ModelVersion {name} is of other content")
        passage.fail(
            Why.NAME_CONFLICT,
            f"a ModelVersion {name} exists with another model, image or artifact, so it was made by hand: "
            "remove it and run the job again",
        )
        return
    if existing is None:
        passage.act(Create(wanted))
    missing = _request(passage, name)
    if existing is None or missing:
        return
    _published(passage, existing, wanted)
    mirror(passage)
    passage.end("Complete", Why.PUBLISHED, f"ModelVersion {name} is released")


def _request(passage: Passage, version_name: str) -> bool:
    """Create those Promotions that do not exist; True if one was missing."""
    spec, image = passage.plan.spec, passage.status.image
    if spec.promotion.mode != "Request" or image is None:
        return False
    release = Release(
        model=spec.model.name,
        version_name=version_name,
        manifest_digest=image.manifest_digest,
        approvals=spec.promotion.approvals,
    )
    missing = False
    for target in spec.promotion.targets:
        name = names.promotion(target.name, image.manifest_digest)
        if _seen(passage, name) is None:
            missing = True
            uid = passage.observed.target_uids.get(target.name)
            passage.act(Create(promotion(passage.observed.identity, target.name, uid, release)))
    return missing


def _seen(passage: Passage, name: str) -> Mapping[str, Any] | None:
    found = (item for item in passage.observed.promotions if item.get("metadata", {}).get("name") == name)
    return next(found, None)


def _published(passage: Passage, existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    metadata = existing.get("metadata", {})
    passage.update(model_version_ref=ObjectRef(name=metadata.get("name", ""), uid=metadata.get("uid")))
    writer = existing.get("spec", {}).get("source", {}).get("uid")
    if writer == passage.observed.identity.uid:
        passage.say(On.PUBLISHED, "True", Why.CREATED, f"ModelVersion {metadata.get('name')} was written")
    else:
        message = f"ModelVersion {wanted['metadata']['name']} of the same content was there already"
        passage.say(On.PUBLISHED, "True", Why.ALREADY_EXISTS, message)


def mirror(passage: Passage) -> None:
    """Show how far the Promotions are. It may change after the end, and decides nothing."""
    spec, image = passage.observed.spec, passage.status.image
    if spec.promotion.mode != "Request" or image is None:
        return
    records = []
    for target in spec.promotion.targets:
        name = names.promotion(target.name, image.manifest_digest)
        seen = _seen(passage, name)
        before = next((item.state for item in passage.status.promotions if item.name == name), None)
        # One that was deleted after its end keeps the last state that was seen of it.
        state = (seen.get("status") or {}).get("state", WAITING) if seen is not None else before
        records.append(PromotionRecord(target=target.name, name=name, state=state))
    passage.update(promotions=tuple(records))
    _promoted(passage, records)


def _promoted(passage: Passage, records: list[PromotionRecord]) -> None:
    states = {record.target: record.state for record in records}
    bad = [name for name, state in states.items() if state in UNSUCCESSFUL]
    said = ", ".join(f"{name}: {state}" for name, state in states.items())
    if bad:
        passage.say(On.PROMOTED, "False", str(states[bad[0]]), said)
    elif all(state == SUCCEEDED for state in states.values()):
        passage.say(On.PROMOTED, "True", Why.SUCCEEDED, said)
    else:
        passage.say(On.PROMOTED, "Unknown", Why.REQUESTED, said)
