"""The page about a run: asked for in the write that ends the run, drawn after it, and decided by nothing.

Owns one attempt within a bounded time. Whatever becomes of it, the run's verdict and its release stay as they
are: a failure is an Event and a reason in `status.report`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from compression_contract.results import ReportFacts
from compression_operator.api.compressionjob.status import Artifact, Child, Report, Work
from compression_operator.core.actions import Create, Delete
from compression_operator.core.compression.children import job_of
from compression_operator.core.compression.intents import attempt
from compression_operator.core.compression.measurements import artifact_of
from compression_operator.core.compression.passage import MAX_TEXT, Passage
from compression_operator.core.compression.plan import Part, Task
from compression_operator.core.compression.summary import has_evidence
from compression_operator.core.compression.words import On, Why
from compression_operator.core.conditions import clip
from compression_operator.core.observed import ChildJob
from compression_operator.core.outcomes import Expected, Failed, Succeeded, outcome_of

TASK: Final = Task(Part.REPORT)
LONGEST: Final = timedelta(minutes=15)
"""From the decision to draw the page to giving it up, its pod's waiting included."""


def request(passage: Passage) -> None:
    """The run ends in this write: ask for a page where there is something to show."""
    failed = passage.conditions.get(On.FAILED)
    cancelled = failed is not None and failed.reason == Why.CANCELLED
    frozen = passage.status.runtime_snapshot is not None
    if frozen and not cancelled and has_evidence(passage.plan, passage.status):
        passage.update(report=Report(state="Pending"))


def pending(passage: Passage) -> bool:
    """Whether a page was asked for and has not been decided."""
    report = passage.status.report
    return report is not None and report.state in ("Pending", "Running")


def child_name(passage: Passage) -> str | None:
    """The Job that draws the page now, and is not to be cleaned up; None where there is none."""
    child = passage.work(TASK).child
    return child.job_name if child is not None and pending(passage) else None


def draw(passage: Passage) -> None:
    """Bring the page forward; the run has ended."""
    if not pending(passage):
        return
    runtime = passage.observed.runtime
    if runtime is None:
        _missed(passage, Why.RUNTIME_NOT_FOUND, "the CompressionRuntime is gone")
        return
    recorded = passage.work(TASK).child or _intend(passage)
    due = (recorded.created or passage.now) + LONGEST
    if f"Job/{recorded.job_name}" in passage.observed.conflicts:
        _missed(passage, Why.NAME_CONFLICT, f"a Job named {recorded.job_name} exists and is not this job's")
        return
    child = passage.observed.child(recorded.job_name)
    if child is not None:
        _read(passage, child, recorded)
    elif passage.now < due:
        made = attempt(passage, TASK, 0)
        passage.act(Create(job_of(made, passage.plan, passage.observed.identity, runtime.spec)))
    if pending(passage):
        _await(passage, child)


def _intend(passage: Passage) -> Child:
    made = attempt(passage, TASK, 0)
    child = Child(
        job_name=made.job_name,
        input_hash=made.input_hash,
        attempt=0,
        incarnation=passage.status.incarnation or 0,
        created=passage.now,
    )
    passage.put(TASK, state="Running", attempt=0, child=child, start_time=passage.now)
    passage.update(report=Report(state="Running"))
    return child


def _read(passage: Passage, child: ChildJob, recorded: Child) -> None:
    outcome = outcome_of(child, Expected(recorded.input_hash, TASK.part, artifact=True), queued=False)
    if isinstance(outcome, Succeeded):
        facts = outcome.result.facts
        page = facts.page if isinstance(facts, ReportFacts) else ""
        _written(passage, page, artifact_of(outcome.result))
    elif isinstance(outcome, Failed):
        _missed(passage, outcome.reason, outcome.message)


def _await(passage: Passage, child: ChildJob | None) -> None:
    """Look again when it is due, and give up then."""
    work: Work = passage.work(TASK)
    due = (work.start_time or passage.now) + LONGEST
    if passage.now < due:
        passage.wake(due)
        return
    if child is not None and not child.deleting:
        namespace = passage.observed.identity.namespace
        passage.act(Delete("batch/v1", "Job", namespace, child.name, child.uid))
    _missed(passage, Why.DEADLINE_EXCEEDED, f"it was not drawn within {LONGEST}")


def _written(passage: Passage, page: str, artifact: Artifact | None) -> None:
    passage.put(TASK, state="Succeeded", artifact=artifact, completion_time=passage.now)
    uri = artifact.uri if artifact is not None else None
    digest = artifact.manifest_digest if artifact is not None else None
    passage.update(report=Report(state="Succeeded", uri=uri, manifest_digest=digest, page=page))
    passage.notice("report", "ReportWritten", f"the page about this run is {uri}/{page}")


def _missed(passage: Passage, reason: str, message: str) -> None:
    text = clip(message, MAX_TEXT)
    passage.put(TASK, state="Failed", message=text, completion_time=passage.now)
    passage.update(report=Report(state="Failed", reason=str(reason), message=text))
    passage.notice("report", "ReportMissing", f"there is no page about this run: {reason}: {text}", "Warning")
