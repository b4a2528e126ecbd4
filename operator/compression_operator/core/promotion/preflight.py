"""Preflight: the release proves itself in a preview pod before any user can meet it.

Owns the phase from the lock to the verdict on the preview. Whatever fails here has touched no user and no
live object.
"""

from __future__ import annotations

from datetime import timedelta

from compression_operator.api.promotion import Before, Check, JournalObject
from compression_operator.api.scalars import format_duration
from compression_operator.core import names
from compression_operator.core.actions import Create, Delete
from compression_operator.core.manifests.preview import Release, obstacle, preview_deployment
from compression_operator.core.observed import DeploymentView
from compression_operator.core.promotion import journal, probes, rollout
from compression_operator.core.promotion.ownership import claim
from compression_operator.core.promotion.step import Situation, Step, enter, finish


def begin(situation: Situation) -> Step:
    """Write down what was there before, or refuse what cannot work."""
    target, live, now = situation.target, situation.live, situation.now
    if target.live_image == situation.image and rollout.done(live):
        return finish(
            situation.promotion, "Succeeded", "AlreadyLive", f"{situation.image} is live already", now
        )
    owner = claim(target.spec, live)
    if not owner.allowed:
        return finish(
            situation.promotion,
            "Failed",
            "FieldConflict",
            f"the image of Deployment {live.name} belongs to {owner.manager}, which would put it back: let "
            "that tool ignore the field and set spec.conflictPolicy: Force on the ServingTarget",
            now,
        )
    hindrance = obstacle(live.template)
    if hindrance and target.spec.verification.parity == "Required":
        sentence = f"no preview pod can run beside the live ones: {hindrance}; see spec.verification.parity"
        return finish(situation.promotion, "Failed", "PreviewImpossible", sentence, now)
    lived = target.status.live
    before = Before(
        deployment_uid=live.uid,
        image=target.live_image or "",
        model_version=lived.model_version if lived else None,
        available=live.available > 0,
    )
    return Step(enter(situation.status, "Preflight", before=before, start_time=now), wake_at=now)


def preflight(situation: Situation) -> Step:
    """Show the release in a preview pod and question it."""
    if situation.target.spec.verification.parity == "Off":
        return Step(enter(situation.status, "Shifting"), wake_at=situation.now)
    preview = situation.promotion.preview
    if preview is None:
        return _create_preview(situation)
    late = situation.now - (journal.since(situation.status, journal.CREATE_PREVIEW) or situation.now)
    sign = rollout.trouble(preview.pods, situation.now)
    if sign is not None:
        return finish(situation.promotion, "Failed", *sign, situation.now)
    if not rollout.done(preview):
        if late > situation.deadline:
            return finish(
                situation.promotion,
                "Failed",
                "ProgressDeadline",
                f"the preview pod was not ready within {format_duration(situation.deadline)}; see "
                f"kubectl describe deployment {preview.name}",
                situation.now,
            )
        return Step(situation.status, wake_at=situation.soon())
    return _question_preview(situation, preview)


def _create_preview(situation: Situation) -> Step:
    name = names.preview(situation.live.name, situation.promotion.identity.uid)
    status = journal.intend(
        situation.status,
        journal.CREATE_PREVIEW,
        JournalObject(kind="Deployment", name=name),
        situation.now,
    )
    release = Release(container=situation.target.spec.container, image=situation.image)
    body = preview_deployment(name, situation.promotion.identity, situation.live, release)
    return Step(status, actions=(Create(body),), wake_at=situation.soon())


def _question_preview(situation: Situation, preview: DeploymentView) -> Step:
    digest = situation.version.image.manifest_digest
    pods = tuple(pod for pod in preview.pods if pod.ready and digest in pod.image_id)
    if not pods:
        ran = ", ".join(pod.image_id for pod in preview.pods)
        return finish(
            situation.promotion,
            "Failed",
            "WrongImage",
            f"the preview pod runs {ran or 'an unknown image'}, not {digest}",
            situation.now,
        )
    status = journal.complete(situation.status, journal.CREATE_PREVIEW, situation.now)
    live = tuple(pod for pod in situation.live.pods if pod.ready and not pod.deleting)
    present = frozenset(pod.name for pod in preview.pods if not pod.deleting)
    question = probes.Question(pods, live, timedelta(0), present)
    outcome = probes.ask(situation, status, probes.PREVIEW, question)
    if outcome.answer.verdict == "Running":
        return outcome.step
    if outcome.answer.verdict != "Passed":
        reason = outcome.answer.reason if outcome.answer.verdict == "Error" else "ParityFailed"
        return finish(situation.promotion, "Failed", reason, outcome.answer.detail, situation.now)
    check = Check(name="parity", verdict="Pass", detail=outcome.answer.detail[:256])
    shifting = enter(outcome.step.status, "Shifting", checks=(*outcome.step.status.checks, check))
    return Step(shifting, wake_at=situation.now)


def remove_preview(preview: DeploymentView | None, namespace: str) -> tuple[Delete, ...]:
    """Take a preview away that has said what it had to say."""
    if preview is None or preview.deleting:
        return ()
    return (Delete("apps/v1", "Deployment", namespace, preview.name, preview.uid),)
