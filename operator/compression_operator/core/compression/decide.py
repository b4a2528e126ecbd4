"""The decision about a CompressionJob: from what is wanted and what is seen to what is missing.

Owns the order of the questions: has it ended, is it to stop, is it accepted, what comes next. Level-based:
the whole state is looked at each time, so that a pass may be lost or repeated at any point.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from compression_operator.core.actions import Decision
from compression_operator.core.compression import display, lifecycle, report
from compression_operator.core.compression.judgement import judge_candidate
from compression_operator.core.compression.observed import ObservedCompression
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.plan import (
    Judge,
    Part,
    PlanDone,
    Skip,
    Task,
    Wait,
    next_of_plan,
    next_of_release,
)
from compression_operator.core.compression.release import publish
from compression_operator.core.compression.selection import select, wait_for_person
from compression_operator.core.compression.tasks import drive


def decide(observed: ObservedCompression, now: datetime) -> Decision:
    """What is missing, in the order of carrying it out.

    Deciding again on the state that the decision leads to asks for nothing new until the world moves on.
    """
    passage = Passage(observed, now)
    if observed.identity.deleting:
        # The children belong to the job: the garbage collector takes them along.
        return passage.decision()
    if passage.ended:
        lifecycle.after_end(passage)
        return passage.decision()
    _pass(passage)
    if passage.ended:
        report.request(passage)
    display.show(passage)
    return passage.decision()


def _pass(passage: Passage) -> None:
    spec = passage.observed.spec
    if spec.cancel:
        lifecycle.cancel(passage)
        return
    if spec.suspend:
        lifecycle.suspend(passage)
        return
    if passage.status.runtime_snapshot is None and not lifecycle.accept(passage):
        return
    passage.update(observed_generation=passage.observed.identity.generation)
    lifecycle.runtime_is_back(passage)
    lifecycle.resume(passage)
    if lifecycle.over_deadline(passage):
        return
    if _candidates(passage) and _image(passage):
        publish(passage)


def _candidates(passage: Passage) -> bool:
    """Go through the plan as far as it goes now. True: a candidate is selected."""
    while passage.status.selected is None:
        following = next_of_plan(passage.status, passage.plan)
        if isinstance(following, PlanDone):
            return select(passage)
        if not _advance(passage, following):
            return False
    return True


def _advance(passage: Passage, following: Task | Skip | Judge | Wait) -> bool:
    """Do what the plan asks for next. True: it is decided and the plan goes on."""
    match following:
        case Task():
            return drive(passage, following)
        case Wait():
            return wait_for_person(passage, following.step)
        case Skip():
            skipped = Task(Part.STEP, following.step)
            passage.put(skipped, state="Skipped", message=following.message, completion_time=passage.now)
        case Judge():
            judge_candidate(passage, following.step)
        case _:
            assert_never(following)
    return True


def _image(passage: Passage) -> bool:
    """Package and scan what was selected. True: the image passed its gates."""
    while (task := next_of_release(passage.status)) is not None:
        if not drive(passage, task):
            return False
    return True
