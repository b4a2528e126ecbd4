"""What happens to a job from outside its plan: acceptance, suspension, cancellation, deadline, and its end.

Owns start and clean-up. Children are deleted only after the terminal condition was read back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from compression_contract.base import digest_of_json
from compression_contract.keys import API_VERSION
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.core.actions import Delete
from compression_operator.core.compression import release, report
from compression_operator.core.compression.admission import Refusal, refusal
from compression_operator.core.compression.effective import Effective, fill, snapshot
from compression_operator.core.compression.grants import Applicant
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.words import On, Why
from compression_operator.core.observed import ChildJob

RUNTIME_POLL: Final = timedelta(minutes=1)
_MUTABLE: Final = {"suspend", "cancel", "ttl_seconds_after_finished"}


def spec_hash(spec: CompressionJobSpec) -> str:
    """The digest of what a job is, without what may be changed while it runs.

    Lists that the API server keeps as maps or sets are hashed in one order, since it lets them be re-ordered;
    the order of steps is part of what they say.
    """
    content = spec.model_dump(mode="json", exclude_none=True, exclude=_MUTABLE)
    for field, key in (("gates", "name"), ("teachers", "name")):
        content[field] = sorted(content.get(field, []), key=lambda item: str(item[key]))
    return digest_of_json(content)


def accept(passage: Passage) -> bool:
    """Freeze the plan of a new job. False: it waits, or it has ended."""
    observed, runtime = passage.observed, passage.observed.runtime
    passage.update(observed_generation=observed.identity.generation)
    if runtime is None:
        name = observed.spec.runtime_ref.name
        message = f"there is no CompressionRuntime {name}: create it, or name another in spec.runtimeRef"
        passage.say(On.ACCEPTED, "False", Why.RUNTIME_NOT_FOUND, message)
        passage.wake(passage.now + RUNTIME_POLL)
        return False
    resolved = fill(observed.spec, runtime, observed.identity.namespace)
    frozen = snapshot(runtime, resolved)
    applicant = Applicant(
        plan=Effective(observed.spec, resolved, frozen),
        namespace=observed.identity.namespace,
        namespace_labels=observed.namespace_labels,
        created=observed.identity.created,
    )
    problem = refusal(applicant, runtime)
    if problem is not None:
        _refuse(passage, problem)
        return False
    passage.accept(resolved, frozen)
    passage.update(
        spec_hash=spec_hash(observed.spec),
        start_time=passage.now,
        active_since=passage.now,
        active_seconds=0,
        incarnation=0,
    )
    passage.say(On.ACCEPTED, "True", Why.VALID, f"runs on CompressionRuntime {runtime.name}")
    passage.say(On.RECONCILING, "True", Why.RUNNING, "the job is running")
    passage.notice("accepted", Why.VALID, f"accepted: {', '.join(step.name for step in passage.plan.steps)}")
    return True


def _refuse(passage: Passage, problem: Refusal) -> None:
    passage.say(On.ACCEPTED, "False", problem.reason, problem.message)
    if problem.permanent:
        passage.fail(Why.INVALID_SPEC, problem.message)
        return
    passage.wake(passage.now + RUNTIME_POLL)


def cancel(passage: Passage) -> None:
    """Send the children away; the job has failed once they are gone."""
    running = _unfinished(passage)
    _delete(passage, running)
    passage.pause_clock()
    if not running:
        passage.fail(Why.CANCELLED, "spec.cancel was set")
        return
    passage.say(On.RECONCILING, "True", Why.CANCELLED, "waits until its pods have ended")


def suspend(passage: Passage) -> None:
    """Send the running child away; it writes a checkpoint, and its successor goes on from there."""
    _delete(passage, _unfinished(passage))
    passage.pause_clock()
    if not passage.conditions.is_true(On.SUSPENDED):
        passage.notice(f"suspended/{passage.status.incarnation or 0}", Why.USER_REQUESTED, "suspended")
    message = "spec.suspend is set: set it to false and the job goes on"
    passage.say(On.SUSPENDED, "True", Why.USER_REQUESTED, message)
    passage.say(On.RECONCILING, "False", Why.USER_REQUESTED, "suspended")


def resume(passage: Passage) -> None:
    """Undo a suspension: the children of the next incarnation have other names than those sent away."""
    condition = passage.conditions.get(On.SUSPENDED)
    suspended = condition is not None and condition.status == "True"
    if not suspended or condition is None or condition.reason != Why.USER_REQUESTED:
        return
    incarnation = (passage.status.incarnation or 0) + 1
    passage.update(incarnation=incarnation)
    passage.run_clock()
    passage.say(On.SUSPENDED, "False", Why.RESUMED, "resumed")
    passage.say(On.RECONCILING, "True", Why.RUNNING, "the job is running")
    passage.notice(f"resumed/{incarnation}", Why.RESUMED, "resumed")


def runtime_is_back(passage: Passage) -> None:
    """Take back what was said while the runtime was gone in the middle of a run."""
    accepted, runtime = passage.conditions.get(On.ACCEPTED), passage.observed.runtime
    if runtime is not None and accepted is not None and accepted.reason == Why.RUNTIME_NOT_FOUND:
        passage.say(On.ACCEPTED, "True", Why.VALID, f"runs on CompressionRuntime {runtime.name}")


def over_deadline(passage: Passage) -> bool:
    """Whether the job has run out of time; it has then ended."""
    seconds = passage.observed.spec.run_policy.active_deadline_seconds
    left = timedelta(seconds=seconds) - passage.active
    if left <= timedelta():
        passage.fail(
            Why.DEADLINE_EXCEEDED,
            f"it ran for {seconds} s, which is runPolicy.activeDeadlineSeconds, without coming to an end",
        )
        return True
    if passage.status.active_since is not None:
        passage.wake(passage.now + left)
    return False


def after_end(passage: Passage) -> None:
    """The terminal condition was read back: draw the page, mirror the promotions, clean up, go in time."""
    observed, policy = passage.observed, passage.observed.spec.run_policy
    release.mirror(passage)
    # Said once more in case the pass that wrote it was cut off; an Event of this key is made only once.
    passage.announce_end()
    report.draw(passage)
    ended = passage.status.completion_time or passage.now
    if policy.clean_pod_policy != "None":
        drawing = report.child_name(passage)
        _delete(passage, tuple(child for child in _unfinished(passage) if child.name != drawing))
        keep = timedelta() if policy.clean_pod_policy == "All" else observed.keep_finished
        finished = tuple(child for child in observed.children if child.finished and child.name != drawing)
        if finished and _due(passage, ended + keep):
            _delete(passage, finished)
    ttl = observed.spec.ttl_seconds_after_finished
    if ttl is not None and _due(passage, ended + timedelta(seconds=ttl)):
        identity = observed.identity
        passage.act(
            Delete(
                API_VERSION, "CompressionJob", identity.namespace, identity.name, identity.uid, "Background"
            )
        )


def _due(passage: Passage, at: datetime) -> bool:
    if passage.now >= at:
        return True
    passage.wake(at)
    return False


def _unfinished(passage: Passage) -> tuple[ChildJob, ...]:
    """Children that still run, or are on their way out."""
    return tuple(child for child in passage.observed.children if not child.finished and not child.lost)


def _delete(passage: Passage, children: tuple[ChildJob, ...]) -> None:
    for child in children:
        if not child.deleting and not child.lost:
            namespace = passage.observed.identity.namespace
            passage.act(Delete("batch/v1", "Job", namespace, child.name, child.uid))
