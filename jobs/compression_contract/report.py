"""What the operator knows of a run when its page is drawn.

Owns that summary's shape. Numbers that were measured travel as numbers; verdicts are the operator's, and the
page repeats them, it never draws one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from compression_contract.base import Digest, Frozen, ShortText
from compression_contract.results import Latency, NonNegative, Tally, Word

Verdict = Literal["Pass", "Fail", "Inconclusive", "Error"]


class Value(Frozen):
    """A metric, with its interval where there is one."""

    name: Word
    value: float
    low: float | None = None
    high: float | None = None


class Measured(Frozen):
    """A model file in one deployed configuration."""

    target: Word
    runtime: Word = ""
    format: Word = ""
    samples: Tally = 0
    metrics: Annotated[tuple[Value, ...], Field(max_length=8)] = ()
    latency: Latency | None = None
    bytes: Tally = 0
    peak_resident_bytes: Tally | None = None
    agreement: float | None = None
    cpu_model: Word = ""


class GateVerdict(Frozen):
    """A gate's word on a candidate."""

    name: Word
    type: Word
    target: Word = ""
    verdict: Verdict
    observed: Word = ""
    required: Word = ""
    interval: Word = ""
    dry_run: bool = False
    message: ShortText = ""


class CandidateSummary(Frozen):
    """A model that was exported, measured and judged."""

    step: Word
    type: Word = ""
    state: Word
    message: ShortText = ""
    results: Annotated[tuple[Measured, ...], Field(max_length=4)] = ()
    gates: Annotated[tuple[GateVerdict, ...], Field(max_length=16)] = ()


class StepSummary(Frozen):
    """A step of the plan and how it went."""

    name: Word
    type: Word
    source: Word = ""
    """The step whose model it started from; empty is the student."""
    state: Word
    seconds: NonNegative | None = None
    attempts: Tally = 1
    message: ShortText = ""


class NamedDigest(Frozen):
    """Something that took part, by content."""

    name: Word
    digest: Annotated[str, Field(max_length=400)]
    """A digest, or an image by digest."""


class ScanSummary(Frozen):
    """What the scanner found in the image."""

    scanner: Word = ""
    counts: dict[Word, Tally] = {}
    database: AwareDatetime | None = None
    system: Word = ""


class RunSummary(Frozen):
    """A run from its manifest to its verdict."""

    namespace: Word
    name: Word
    uid: Word
    model: Word
    version: Word = ""
    student: Word = ""
    outcome: Literal["Complete", "Failed"]
    reason: Word
    message: ShortText
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    steps: Annotated[tuple[StepSummary, ...], Field(max_length=12)] = ()
    teachers: Annotated[tuple[Value, ...], Field(max_length=8)] = ()
    """Each teacher's value of the first metric."""
    baseline: tuple[Measured, ...] = ()
    """The float student beside each candidate's target."""
    candidates: Annotated[tuple[CandidateSummary, ...], Field(max_length=12)] = ()
    selected: Word = ""
    """The step whose candidate was chosen; empty where none passed."""
    image: Annotated[str, Field(max_length=400)] = ""
    image_bytes: Tally = 0
    scan: ScanSummary | None = None
    lower_is_better: tuple[Word, ...] = ()
    """Metrics of which less is better."""
    digests: Annotated[tuple[NamedDigest, ...], Field(max_length=32)] = ()
    """Dataset, teachers, student, code, and the images that worked."""
    spec_hash: Digest | None = None
