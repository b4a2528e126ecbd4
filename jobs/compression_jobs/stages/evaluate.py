"""Evaluate: measure a candidate, and beside it its float baseline, on the runtime that serves.

Owns which measurements are made of which file and what is kept as evidence. Must not draw a verdict, and must
not read what the training pods claim about quality.
"""

from __future__ import annotations

import logging
import platform
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.base import canonical_json
from compression_contract.inputs import EvaluateInput
from compression_contract.results import (
    Agreement,
    EvaluateFacts,
    Measurement,
    PairedCounts,
    PairedDifference,
    Speedup,
)
from compression_contract.served_model import GOLDEN_INPUTS, GOLDEN_OUTPUTS
from compression_jobs import arrays, metrics
from compression_jobs.artifacts import LocalArtifact, digest_of_file
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.evaluation import agreement, footprint, inference, latency, processor, subjects
from compression_jobs.evaluation.subjects import FAKE_QUANT, Subject
from compression_jobs.metrics.answers import Answers
from compression_jobs.readers import DatasetFacts, Indices, Split, files_of, open_reader
from compression_jobs.runtimes import Session
from compression_jobs.tasks import Task, task

GOLDEN: Final = "golden.npz"
PREDICTIONS: Final = "predictions.npz"
REPORT: Final = "report.json"

log = logging.getLogger(__name__)


def run(context: StageContext[EvaluateInput]) -> StageOutcome:
    """Measure the candidate and the baseline.

    Raises:
        InvalidInput: MetricUnknown, MetricNotApplicable, ReaderUnknown, TaskMismatch.
        InvalidData: WrongArtifactKind, DigestMismatch, FileMissing, ExternalData, NotQuantised, ModelRefused,
            ModelFailed, InvalidOutputs, ShapeMismatch, SplitNotFound, FakeQuantInvalid and their like.
        Misconfigured: RuntimeUnknown, HardwareMissing, LibraryMissing, FormatUnsupported.
        NotFound, Denied, Unavailable: the store's answer.
    """
    given = context.parameters
    data = _data(context)
    chosen = inference.choose(len(data.split), given.max_samples, given.dataset.seed)
    wanted = metrics.choose(given.metrics, data.task.metrics, data.facts.num_classes)
    opened = subjects.open_all(context, data.require_fit)
    answers = []
    for subject in opened.subjects:
        answers.append(inference.answers(subject.session, subject.name, data.split, chosen, data.task))
        log.info("answered", extra={"fields": {"model": subject.name, "samples": len(chosen)}})
    candidate = opened.subjects[0]
    agreed = _agreement(opened.artifact, candidate, data)
    timed, throttled = _time(given, opened.subjects, data.split)
    speedup = _speedup(timed, given.dataset.seed)
    measurements = [_measure(given, one, answer, wanted) for one, answer in zip(timed, answers, strict=True)]
    folder = context.folder("evaluation")
    _keep_predictions(folder / PREDICTIONS, chosen, answers)
    _keep_golden(folder / GOLDEN, candidate, data.split, chosen[: given.golden_samples])
    facts = EvaluateFacts(
        target=given.target.name,
        samples=len(chosen),
        bad_records=len(data.split.bad),
        candidate=measurements[0],
        baseline=measurements[1] if len(measurements) > 1 else None,
        paired=_paired(wanted, answers),
        differences=_differences(wanted, answers, given.dataset.seed),
        agreement=agreed,
        runtime=opened.runtime.version,
        speedup=speedup,
        slower_than_baseline=latency.is_slower(speedup),
        golden_digest=digest_of_file(folder / GOLDEN),
        predictions_digest=digest_of_file(folder / PREDICTIONS),
        model_digest=candidate.model.digest,
        node=processor.identify(given.target.cpu_features, throttled),
    )
    _say_aloud(facts, given.target.threads)
    (folder / REPORT).write_bytes(canonical_json(facts.wire()))
    return StageOutcome(
        facts, Output(folder, ArtifactKind.EVALUATION, _manifest_facts(given, facts, candidate))
    )


@dataclass(frozen=True, slots=True)
class Data:
    """The test split and what the dataset says of itself."""

    facts: DatasetFacts
    split: Split
    task: Task

    def require_fit(self, session: Session, name: str) -> None:
        """Refuse a model that is made for other data; raises InvalidData(ShapeMismatch)."""
        shape, kind = self.facts.input_shape, self.facts.input_type
        inference.require_fit(session, name, shape, self.task.output_shape(self.facts), kind)


def _data(context: StageContext[EvaluateInput]) -> Data:
    given = context.parameters.dataset
    reference = ArtifactRef(uri=given.uri, digest=given.digest)
    artifact = context.fetch(reference, ArtifactKind.DATASET, only=files_of(given.reader, given.splits.test))
    dataset = open_reader(given.reader, artifact, given.max_bad_records)
    found = task(context.parameters.task, dataset.facts)
    return Data(dataset.facts, dataset.split(given.splits.test), found)


def _agreement(artifact: LocalArtifact, candidate: Subject, data: Data) -> Agreement | None:
    """None where the candidate brings nothing to compare with; whether that will do is not decided here."""
    if not artifact.has(FAKE_QUANT):
        return None
    shape = candidate.session.output.shape[1:]
    recorded = agreement.read(artifact.file(FAKE_QUANT), len(data.split), shape)
    answered = inference.outputs(candidate.session, candidate.name, data.split, recorded.indices)
    parts, start = [], 0
    for batch in answered:
        parts.append(data.task.same(recorded.outputs[start : start + len(batch)], batch))
        start += len(batch)
    return agreement.compare(np.concatenate(parts))


@dataclass(frozen=True, slots=True)
class Timed:
    """A model whose calls were timed."""

    subject: Subject
    batch: NDArray[Any]
    """What each call was given."""
    rounds: latency.Rounds


def _time(given: EvaluateInput, measured: tuple[Subject, ...], split: Split) -> tuple[list[Timed], int]:
    """Latency of all of them together, in turns; and in how many periods the pod was throttled meanwhile."""
    batches = [inference.call_input(subject.session, split, given.target.batch_size) for subject in measured]
    calls = [partial(subject.session.run, batch) for subject, batch in zip(measured, batches, strict=True)]
    before = processor.throttled()
    rounds = latency.measure(calls, given.latency)
    throttled = max(0, processor.throttled() - before)
    return [Timed(*one) for one in zip(measured, batches, rounds, strict=True)], throttled


def _speedup(timed: list[Timed], seed: int) -> Speedup | None:
    if len(timed) < 2:
        return None
    candidate, baseline = timed
    return latency.speedup(candidate.rounds, baseline.rounds, seed)


def _measure(given: EvaluateInput, timed: Timed, answer: Answers, wanted: metrics.Chosen) -> Measurement:
    """All numbers of one model."""
    target, model, seed = given.target, timed.subject.model, given.dataset.seed
    paths = tuple(map(str, model.paths))
    load = footprint.Load(target.runtime, model.format, paths, target.threads, timed.batch.shape)
    measurement = Measurement(
        proportions=tuple(metrics.proportion(name, m, answer) for name, m in wanted.shares.items()),
        estimates=tuple(metrics.estimate(name, m, answer, seed) for name, m in wanted.wholes.items()),
        latency=latency.summary(timed.rounds),
        bytes=model.bytes,
        peak_resident_bytes=footprint.measure(load),
    )
    log.info("measured", extra={"fields": {"model": timed.subject.name, **measurement.wire()}})
    return measurement


def _say_aloud(facts: EvaluateFacts, threads: int) -> None:
    """What a person must not find out in production."""
    if facts.speedup is not None and facts.slower_than_baseline:
        told = {"runtime": facts.runtime, "processor": facts.node.cpu_model, **facts.speedup.wire()}
        log.warning("the candidate is slower than its float baseline", extra={"fields": told})
    if facts.node.throttled:
        told = {"periods": facts.node.throttled, "threads": threads}
        log.warning("the pod's CPU limit held it back while time was taken", extra={"fields": told})


def _paired(wanted: metrics.Chosen, answers: list[Answers]) -> tuple[PairedCounts, ...]:
    if len(answers) < 2:
        return ()
    candidate, baseline = answers
    return tuple(metrics.paired(name, metric, candidate, baseline) for name, metric in wanted.shares.items())


def _differences(wanted: metrics.Chosen, answers: list[Answers], seed: int) -> tuple[PairedDifference, ...]:
    if len(answers) < 2:
        return ()
    candidate, baseline = answers
    return tuple(
        metrics.difference(name, metric, candidate, baseline, seed) for name, metric in wanted.wholes.items()
    )


def _keep_predictions(path: Path, chosen: Indices, answers: list[Answers]) -> None:
    """Each sample's records under both models: all metrics can be computed again."""
    kept = {"indices": chosen}
    for name, answer in zip(("candidate", "baseline"), answers, strict=False):
        kept |= {f"{name}_{record}": array for record, array in answer.records.items()}
    arrays.save(path, kept)


def _keep_golden(path: Path, candidate: Subject, split: Split, chosen: Indices) -> None:
    """Inputs and the candidate's own outputs, which every later copy of it must repeat."""
    outputs = np.concatenate(list(inference.outputs(candidate.session, candidate.name, split, chosen)))
    golden = {GOLDEN_INPUTS: split.inputs(chosen), GOLDEN_OUTPUTS: outputs}
    arrays.save(path, golden)


def _manifest_facts(given: EvaluateInput, facts: EvaluateFacts, candidate: Subject) -> dict[str, Any]:
    return {
        "candidateDigest": given.candidate.digest,
        "datasetDigest": given.dataset.digest,
        "format": given.target.format,
        "goldenDigest": facts.golden_digest,
        "inputs": [candidate.session.input.wire()],
        "modelDigest": facts.model_digest,
        "outputs": [candidate.session.output.wire()],
        "predictionsDigest": facts.predictions_digest,
        "software": f"{facts.runtime}, numpy {np.__version__}, Python {platform.python_version()}",
        "target": facts.target,
        "threads": given.target.threads,
    }
