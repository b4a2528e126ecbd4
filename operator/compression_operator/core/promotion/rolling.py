"""Rolling: the Deployment itself rolls to the release, is watched while it settles, and goes back if it must.

Owns the phases after preflight of the strategy Rolling. Replicas are never written. Going back needs no
approval and no window.
"""

from __future__ import annotations

from compression_operator.api.promotion import JournalObject, PromotionFailure
from compression_operator.api.scalars import format_duration
from compression_operator.core.observed import PodView
from compression_operator.core.promotion import journal, probes, rollout
from compression_operator.core.promotion.ownership import claim
from compression_operator.core.promotion.preflight import remove_preview
from compression_operator.core.promotion.step import Situation, Step, apply_image, enter, finish

MAX_WRITES = 2
"""Somebody who puts the image back twice means it: there is never a third write."""


def shift(situation: Situation) -> Step:
    """Write the image and wait until the rollout is done."""
    status, live = situation.status, situation.live
    image = live.image(situation.target.spec.container)
    if image != situation.image:
        return _write(situation, image)
    status = journal.complete(status, journal.APPLY_IMAGE, situation.now)
    sign = rollout.trouble(_new_pods(situation), situation.now)
    if sign is not None:
        return turn_back(situation, *sign)
    if rollout.done(live):
        settling = enter(status, "Settling")
        gone = remove_preview(situation.promotion.preview, situation.target.identity.namespace)
        return Step(settling, actions=gone, wake_at=situation.now)
    started = journal.since(status, journal.APPLY_IMAGE) or situation.now
    given_up = live.progress_deadline_exceeded
    # The condition stays from before: a Deployment of the bare base never gets ready and carries it for long.
    if (given_up and given_up >= started) or situation.now - started > situation.deadline:
        sentence = f"the rollout was not done within {format_duration(situation.deadline)}"
        return turn_back(situation, "ProgressDeadline", sentence)
    return Step(status, wake_at=situation.soon())


def settle(situation: Situation) -> Step:
    """Watch the finished rollout; the first bad sign turns it back."""
    status, live = situation.status, situation.live
    image = live.image(situation.target.spec.container)
    if image != situation.image:
        return _changed_by_another(situation, image)
    sign = rollout.trouble(_new_pods(situation), situation.now)
    if sign is not None:
        return turn_back(situation, *sign)
    pods = tuple(pod for pod in _new_pods(situation) if pod.ready)
    if not pods:
        return turn_back(situation, "NotAvailable", "no pod of the release is ready any more")
    if situation.target.spec.verification.parity == "Off":
        return _settle_unprobed(situation)
    duration = situation.target.spec.strategy.settle
    present = frozenset(pod.name for pod in _new_pods(situation))
    outcome = probes.ask(situation, status, probes.SETTLE, probes.Question(pods, (), duration, present))
    if outcome.answer.verdict == "Running":
        return Step(outcome.step.status, outcome.step.actions, wake_at=situation.soon())
    if outcome.answer.verdict == "Passed":
        return finish(situation.promotion, "Succeeded", "Live", outcome.answer.detail, situation.now)
    reason = "SmokeFailed" if outcome.answer.verdict == "Failed" else outcome.answer.reason
    return turn_back(situation, reason, outcome.answer.detail)


def roll_back(situation: Situation) -> Step:
    """Put the last good image back and wait until it is everywhere."""
    status, live = situation.status, situation.live
    good, version = last_good(situation)
    image = live.image(situation.target.spec.container)
    failure = status.failure or PromotionFailure(reason="Unknown", message="")
    if image == good and (rollout.done(live) or _never_available(situation)):
        return finish(situation.promotion, "RolledBack", failure.reason, failure.message, situation.now)
    if image == good:
        started = journal.since(status, journal.ROLL_BACK) or situation.now
        if situation.now - started > situation.deadline:
            sentence = f"going back to {good} did not finish; after: {failure.reason}: {failure.message}"
            return finish(situation.promotion, "Failed", "RollBackFailed", sentence, situation.now)
        return Step(journal.complete(status, journal.ROLL_BACK, situation.now), wake_at=situation.soon())
    if journal.times(status, journal.ROLL_BACK) > MAX_WRITES:
        return finish(
            situation.promotion,
            "Failed",
            "Contested",
            "another writer keeps changing the image",
            situation.now,
        )
    status = journal.intend(status, journal.ROLL_BACK, _subject(situation), situation.now)
    write = apply_image(situation, good, version, force=_force(situation))
    return Step(status, actions=(write,), wake_at=situation.soon())


def last_good(situation: Situation) -> tuple[str, str]:
    """(image, ModelVersion) that survived settling, or what was there before the first promotion."""
    good, before = situation.target.status.last_good, situation.status.before
    if good is not None:
        return good.image, good.model_version or ""
    return (before.image, before.model_version or "") if before else ("", "")


def _never_available(situation: Situation) -> bool:
    """Before the first promotion nothing ran, such as a serving base without a model: it will not run now."""
    before = situation.status.before
    return situation.target.status.last_good is None and before is not None and not before.available


def _write(situation: Situation, image: str | None) -> Step:
    """The image is not ours yet, or not any more."""
    status, before = situation.status, situation.status.before
    written = journal.times(status, journal.APPLY_IMAGE)
    if before is None or image != before.image:
        return _changed_by_another(situation, image)
    owner = claim(situation.target.spec, situation.live)
    if not owner.allowed or written >= MAX_WRITES:
        sentence = f"{owner.manager or 'another writer'} puts the image of {situation.live.name} back"
        return finish(situation.promotion, "Failed", "Contested", sentence, situation.now)
    status = journal.intend(status, journal.APPLY_IMAGE, _subject(situation), situation.now)
    name = situation.promotion.spec.model_version_ref.name
    write = apply_image(situation, situation.image, name, force=owner.force)
    return Step(status, actions=(write,), wake_at=situation.soon())


def _settle_unprobed(situation: Situation) -> Step:
    duration = situation.target.spec.strategy.settle
    status = journal.intend(situation.status, journal.SETTLE, _subject(situation), situation.now)
    started = journal.since(status, journal.SETTLE) or situation.now
    if situation.now - started < duration:
        return Step(status, wake_at=started + duration)
    return finish(
        situation.promotion, "Succeeded", "Live", "available for the whole of settle", situation.now
    )


def turn_back(situation: Situation, reason: str, message: str) -> Step:
    """Go back to the last good image, or stop where we are if the target wants no automatic rollback."""
    failure = PromotionFailure(reason=reason, message=message[:512])
    if not situation.target.spec.rollback.auto:
        return finish(
            situation.promotion, "Failed", reason, f"{message} (rollback.auto is false)", situation.now
        )
    return Step(enter(situation.status, "RollingBack", failure=failure), wake_at=situation.now)


def _changed_by_another(situation: Situation, image: str | None) -> Step:
    sentence = f"somebody set the image to {image} during the rollout; nothing more is written"
    return finish(situation.promotion, "Failed", "ExternalChange", sentence, situation.now)


def _new_pods(situation: Situation) -> tuple[PodView, ...]:
    return rollout.pods_of_image(situation.live, situation.version.image.manifest_digest)


def _subject(situation: Situation) -> JournalObject:
    return JournalObject(kind="Deployment", name=situation.live.name, uid=situation.live.uid)


def _force(situation: Situation) -> bool:
    return claim(situation.target.spec, situation.live).force
