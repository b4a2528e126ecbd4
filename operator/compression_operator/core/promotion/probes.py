"""Probe Jobs of a Promotion: what they are asked, and what their answers mean.

Owns the questions (golden predictions of given pods) and the reading of results. A probe's result is data
from outside: what cannot be read is an error, never a pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from compression_contract.inputs import ProbeInput, ProbePaths, ProbeSubject
from compression_contract.keys import LABEL_ATTEMPT, LABEL_STEP
from compression_contract.results import ProbeFacts
from compression_contract.served_model import Tolerance
from compression_operator.api.promotion import JournalObject, PromotionStatus
from compression_operator.core.actions import Create
from compression_operator.core.manifests.probe_job import probe_job
from compression_operator.core.observed import ChildJob, DeploymentView, PodView
from compression_operator.core.promotion import journal
from compression_operator.core.promotion.step import Situation, Step
from compression_operator.core.results import read_result

PREVIEW: Literal["preview"] = "preview"
SETTLE: Literal["settle"] = "settle"
Phase = Literal["preview", "settle"]
REQUEST_ALLOWANCE_MS = 50.0
"""What a request may cost beside the model: the evaluator calls the runtime, the probe asks over HTTP."""
_EFFECTS = {PREVIEW: journal.PROBE_PREVIEW, SETTLE: journal.SETTLE}


@dataclass(frozen=True, slots=True)
class Question:
    """Which pods must answer, which live ones are compared, and for how long."""

    subjects: tuple[PodView, ...]
    live: tuple[PodView, ...]
    duration: timedelta
    present: frozenset[str]
    """Names of the release's pods; what was found of one that is gone since, drained perhaps, is void."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe says: Running, Passed, Failed (the release is bad) or Error (the probe itself is)."""

    verdict: Literal["Running", "Passed", "Failed", "Error"]
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, and the step that asks (again) while there is none."""

    answer: Answer
    step: Step


def ask(situation: Situation, status: PromotionStatus, phase: Phase, question: Question) -> Outcome:
    """Read the newest probe of a phase, or start one; one that errs is repeated up to the target's limit."""
    asked = of_phase(situation.promotion.probes, phase)
    answer = read(asked[-1], question.present) if asked else Answer("Error", "NotAsked")
    attempt = int(asked[-1].labels.get(LABEL_ATTEMPT, "0")) + 1 if asked else 0
    if answer.verdict != "Error":
        if answer.verdict != "Running":
            status = journal.complete(status, _EFFECTS[phase], situation.now)
        return Outcome(answer, Step(status))
    if asked and attempt > situation.target.spec.verification.limits.error:
        return Outcome(answer, Step(status))
    if situation.target.probe is None:
        waiting = status.model_copy(update={"waiting_for": ("Runtime",)})
        return Outcome(Answer("Running"), Step(waiting, wake_at=situation.soon(30)))
    body = probe_job(
        situation.promotion.identity,
        situation.target.probe.image,
        pull_secrets(situation.live),
        phase,
        attempt,
        compose(situation, question),
    )
    subject = JournalObject(kind="Job", name=body["metadata"]["name"])
    status = journal.intend(status, _EFFECTS[phase], subject, situation.now)
    return Outcome(Answer("Running"), Step(status, actions=(Create(body),)))


def pull_secrets(live: DeploymentView) -> tuple[str, ...]:
    """The pull secrets of the Deployment's own template: what pulls the release pulls the probe."""
    entries = live.template.get("spec", {}).get("imagePullSecrets", ())
    return tuple(entry["name"] for entry in entries)


def of_phase(jobs: tuple[ChildJob, ...], phase: Phase) -> tuple[ChildJob, ...]:
    """The probes of one phase, oldest attempt first."""
    found = [item for item in jobs if item.labels.get(LABEL_STEP) == phase]
    return tuple(sorted(found, key=lambda item: int(item.labels.get(LABEL_ATTEMPT, "0"))))


def compose(situation: Situation, question: Question) -> ProbeInput:
    """The input of a probe; expected values come from the ModelVersion, never from a pod."""
    verification, artifact = situation.target.spec.verification, situation.version.artifact
    measured = milliseconds(situation.version.evaluation.latency_p95)
    limit = measured * verification.max_latency_factor + REQUEST_ALLOWANCE_MS if measured else None
    return ProbeInput(
        model=situation.version.model,
        port=verification.port,
        paths=ProbePaths.model_validate(verification.paths.model_dump()),
        subjects=tuple(ProbeSubject(name=pod.name, address=pod.address) for pod in question.subjects[:16]),
        live=tuple(ProbeSubject(name=pod.name, address=pod.address) for pod in question.live[:1]),
        artifact_digest=artifact.manifest_digest,
        golden_digest=artifact.golden_digest,
        tolerance=Tolerance(
            max_absolute_difference=float(artifact.tolerance.max_abs_diff),
            top1_agreement=float(artifact.tolerance.top1_agreement),
        ),
        max_latency_p95_ms=limit,
        duration_seconds=int(question.duration.total_seconds()),
        interval_seconds=max(verification.interval.total_seconds(), 0.5),
        failure_limit=verification.limits.failure,
        error_limit=verification.limits.error,
    )


def milliseconds(latency: str | None) -> float | None:
    """A latency such as ``6.1ms`` as a number; None if there is none."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)ms", latency or "")
    return float(found[1]) if found else None


def read(job: ChildJob, present: frozenset[str]) -> Answer:
    """What a probe Job says so far of the pods that are present."""
    reading = read_result(job)
    if reading is None:
        return Answer("Running")
    if reading.result is None or not isinstance(reading.result.facts, ProbeFacts):
        return Answer("Error", reading.reason, reading.message)
    facts = reading.result.facts
    bad = [subject for subject in facts.subjects if subject.reason]
    for subject in bad:
        if subject.name in present:
            return Answer("Failed", subject.reason, f"{subject.name}: {subject.message or subject.reason}")
    if bad:
        return Answer("Error", "PodGone", f"{bad[0].name} went away while it was questioned")
    if facts.passes == 0:
        return Answer("Error", "NothingProbed", "the probe ended without a single pass")
    return Answer("Passed", "", _summary(facts))


def _summary(facts: ProbeFacts) -> str:
    agreements = [item.top1_agreement for item in facts.subjects if item.top1_agreement is not None]
    differences = [
        item.max_absolute_difference for item in facts.subjects if item.max_absolute_difference is not None
    ]
    parts = [f"{facts.passes} passes over {len(facts.subjects)} pods"]
    if agreements:
        parts.append(f"top-1 agreement {min(agreements):.4f}")
    if differences:
        parts.append(f"largest difference {max(differences):.3g}")
    return ", ".join(parts)
