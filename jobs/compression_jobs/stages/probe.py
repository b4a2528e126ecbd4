"""Probe: question pods about the model they serve, once or again and again for a while.

Owns what is asked and how answers are compared. Decides nothing about a promotion: each pod's facts are
reported, and pods of the present release are compared without being judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.base import canonical_json
from compression_contract.inputs import ProbeInput, ProbeSubject
from compression_contract.results import ProbeFacts, SubjectReport
from compression_contract.served_model import GOLDEN_INPUTS, GOLDEN_OUTPUTS, decision_axis
from compression_jobs import arrays
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidData
from compression_jobs.serving_client import LARGEST_GOLDEN, UNREACHABLE, Metadata, Pod, PodError

Array = NDArray[Any]

LEAST_CALLS: Final = 100
"""Single-row calls that a p95 is taken of; golden rows are asked again until there are so many."""

RETRY_SECONDS: Final = 2.0
"""A pod that was out of reach is asked again soon: if it stays so, the release must go back soon."""

_FACTS_BUDGET: Final = 2400
"""Bytes; the rest of a termination message is the result's frame."""
_MESSAGE_LENGTHS: Final = (200, 60, 0, None)
"""Characters of a message that are kept; None keeps a pod's name and reason alone."""


@dataclass(frozen=True, slots=True)
class Count:
    """Passes, and how many of them went wrong."""

    passes: int = 0
    failures: int = 0
    errors: int = 0

    def after(self, reports: Sequence[SubjectReport]) -> Count:
        """One pass later; a wrong answer outweighs one that did not come."""
        reasons = {report.reason for report in reports} - {""}
        failed = bool(reasons - {UNREACHABLE})
        return Count(self.passes + 1, self.failures + failed, self.errors + (bool(reasons) and not failed))


@dataclass(frozen=True, slots=True)
class Golden:
    """Inputs [n, …] and the outputs [n, classes] that the evaluated model gave to them."""

    inputs: Array = field(repr=False)
    outputs: Array = field(repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a pod's answers differ from the golden outputs, and how long single rows take."""

    top1_agreement: float
    max_absolute_difference: float | None
    """None when an answer is not finite."""
    latency_p95_ms: float


def run(context: StageContext[ProbeInput]) -> StageOutcome:
    """Question the pods until the time is over or too many passes failed; returns facts, no verdict."""
    return StageOutcome(Probe(context.parameters, context.folder("golden")).run())


class Probe:
    """The passes of one probe.

    Args:
        given: whom to ask, and what to expect.
        folder: where golden files are put.
        clock: seconds, rising.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        given: ProbeInput,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._given, self._folder = given, folder
        self._clock, self._sleep = clock, sleep
        self._golden: Golden | None = None
        self._checked: set[str] = set()

    def run(self) -> ProbeFacts:
        """All passes."""
        given, end = self._given, self._clock() + self._given.duration_seconds
        count = Count()
        reports: dict[str, SubjectReport] = {}
        live: tuple[SubjectReport, ...] | None = None
        while True:
            latest = [self._question(subject) for subject in given.subjects]
            count = count.after(latest)
            for report in latest:
                # A failure stays in the report: a later pass that went well does not undo it.
                if not (known := reports.get(report.name)) or known.reason in {"", UNREACHABLE}:
                    reports[report.name] = report
            answered = all(report.reason != UNREACHABLE for report in latest)
            if answered and live is None:
                live = tuple(self._compare(subject) for subject in given.live)
            over = count.failures > given.failure_limit or count.errors > given.error_limit
            pause = given.interval_seconds if answered else min(given.interval_seconds, RETRY_SECONDS)
            # It never ends on a pass without an answer, unless there were too many of them.
            if over or (answered and self._clock() + pause > end):
                return fitted(count, tuple(reports.values()), live or ())
            self._sleep(pause)

    def _question(self, subject: ProbeSubject) -> SubjectReport:
        """Everything a pod must be: ready, the right model, right answers, fast enough."""
        given = self._given
        try:
            with Pod(subject.address, given.port, given.model, given.paths) as pod:
                pod.require_ready()
                metadata = pod.metadata()
                self._require_model(metadata)
                golden = self._golden_of(pod, subject.name)
                return judged(subject.name, compare(pod, metadata, golden), given)
        except PodError as error:
            return SubjectReport(name=subject.name, reason=error.reason, message=str(error)[:200])

    def _compare(self, subject: ProbeSubject) -> SubjectReport:
        """How a pod of the present release answers the same inputs."""
        if self._golden is None:
            return SubjectReport(
                name=subject.name, reason="NotCompared", message="no golden pairs to ask for"
            )
        given = self._given
        try:
            with Pod(subject.address, given.port, given.model, given.paths) as pod:
                comparison = compare(pod, pod.metadata(), self._golden)
        except PodError as error:
            return SubjectReport(name=subject.name, reason=error.reason, message=str(error)[:200])
        return _report(subject.name, comparison)

    def _require_model(self, metadata: Metadata) -> None:
        expected = (self._given.artifact_digest, self._given.golden_digest)
        if (metadata.artifact_digest, metadata.golden_digest) != expected:
            raise PodError("WrongModel", f"it serves {metadata.artifact_digest[:80]}, not {expected[0]}")

    def _golden_of(self, pod: Pod, name: str) -> Golden:
        """The golden pairs, after the pod's own file was seen once to have the expected digest."""
        path = self._folder / "golden.npz"
        if name not in self._checked:
            digest = pod.golden(path)
            if digest != self._given.golden_digest:
                raise PodError("GoldenMismatch", f"its golden file has digest {digest}")
            self._checked.add(name)
        if self._golden is not None:
            return self._golden
        try:
            read = arrays.load(path, (GOLDEN_INPUTS, GOLDEN_OUTPUTS), LARGEST_GOLDEN)
        except InvalidData as error:
            raise PodError("GoldenMismatch", error.message) from None
        self._golden = Golden(read[GOLDEN_INPUTS], read[GOLDEN_OUTPUTS])
        return self._golden


def compare(pod: Pod, metadata: Metadata, golden: Golden) -> Comparison:
    """Ask for every golden row, one at a time as it was evaluated, and compare the answers.

    Raises:
        PodError: WrongAnswers, Unreachable.
    """
    rows = len(golden.inputs)
    answers, seconds = [], []
    pod.predict(metadata, golden.inputs[:1])  # the first call pays for the connection
    for number in range(max(rows, LEAST_CALLS)):
        index = number % rows
        answer, took = pod.predict(metadata, golden.inputs[index : index + 1])
        seconds.append(took)
        if number < rows:
            answers.append(answer)
    predicted = np.concatenate(answers)
    if predicted.shape != golden.outputs.shape:
        raise PodError("WrongAnswers", f"answers have shape {predicted.shape}, not {golden.outputs.shape}")
    difference = float(np.abs(predicted - golden.outputs).max())
    axis = decision_axis(predicted.ndim)
    return Comparison(
        top1_agreement=float(np.mean(predicted.argmax(axis) == golden.outputs.argmax(axis))),
        max_absolute_difference=difference if np.isfinite(difference) else None,
        latency_p95_ms=float(np.percentile(seconds, 95)) * 1000,
    )


def judged(name: str, found: Comparison, expected: ProbeInput) -> SubjectReport:
    """A pod's report, with a reason where it is not as expected."""
    tolerance, limit = expected.tolerance, expected.max_latency_p95_ms
    difference = found.max_absolute_difference
    reason, message = "", ""
    if difference is None or difference > tolerance.max_absolute_difference:
        shown = "not finite" if difference is None else f"{difference:.4g}"
        reason = "WrongAnswers"
        message = f"largest difference {shown}, allowed {tolerance.max_absolute_difference:g}"
    elif found.top1_agreement < tolerance.top1_agreement:
        reason = "WrongAnswers"
        message = f"same class for {found.top1_agreement:.4f}, required {tolerance.top1_agreement:g}"
    elif limit is not None and found.latency_p95_ms > limit:
        reason, message = "TooSlow", f"p95 {found.latency_p95_ms:.2f} ms, allowed {limit:.2f} ms"
    return _report(name, found).model_copy(update={"reason": reason, "message": message})


def fitted(count: Count, subjects: Sequence[SubjectReport], live: Sequence[SubjectReport]) -> ProbeFacts:
    """The facts, with messages and then numbers cut until they fit a termination message."""

    def cut(report: SubjectReport, length: int | None) -> SubjectReport:
        if length is None:
            return SubjectReport(name=report.name, reason=report.reason)
        return report.model_copy(update={"message": report.message[:length]})

    for length in _MESSAGE_LENGTHS:
        facts = ProbeFacts(
            passes=count.passes,
            failures=count.failures,
            errors=count.errors,
            subjects=tuple(cut(report, length) for report in subjects),
            live=tuple(cut(report, length) for report in live),
        )
        if len(canonical_json(facts.wire())) <= _FACTS_BUDGET:
            break
    return facts


def _report(name: str, found: Comparison) -> SubjectReport:
    difference = found.max_absolute_difference
    return SubjectReport(
        name=name,
        top1_agreement=round(found.top1_agreement, 6),
        max_absolute_difference=None if difference is None else float(f"{difference:.6g}"),
        latency_p95_ms=round(found.latency_p95_ms, 3),
    )
