"""Evaluate: measure a candidate, and beside it its float baseline, on the runtime that serves.

Owns which measurements are made of which file and what is kept as evidence. Must not draw a verdict, and must
not read what the training pods claim about quality.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.base import canonical_json
from compression_contract.inputs import EvaluateInput
from compression_contract.results import Agreement, EvaluateFacts, Measurement, PairedCounts, PairedDifference
from compression_contract.served_model import GOLDEN_INPUTS, GOLDEN_OUTPUTS
from compression_jobs import arrays, metrics
from compression_jobs.artifacts import LocalArtifact, digest_of_file
from compression_jobs.context import Output, StageContext, StageOutcome
from compression_jobs.evaluation import agreement, footprint, inference, latency, processor
from compression_jobs.metrics.answers import Answers
from compression_jobs.readers import DatasetFacts, Indices, Split, files_of, open_reader
from compression_jobs.runtimes import Session, opener
from compression_jobs.tasks import Task, task

MODEL: Final = "model.onnx"
FLOAT_MODEL: Final = "float.onnx"
FAKE_QUANT: Final = "fake_quant.npz"
GOLDEN: Final = "golden.npz"
PREDICTIONS: Final = "predictions.npz"
REPORT: Final = "report.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model under measurement."""

    name: str
    """For sentences: candidate or baseline."""
    path: Path
    model_format: str
    session: Session


def run(context: StageContext[EvaluateInput]) -> StageOutcome:
    """Measure the candidate and the baseline.

    Raises:
        InvalidInput: MetricUnknown, MetricNotApplicable, ReaderUnknown.
        InvalidData: WrongArtifactKind, DigestMismatch, FileMissing, ExternalData, NotQuantised, ModelRefused,
            ModelFailed, InvalidOutputs, ShapeMismatch, SplitNotFound, FakeQuantInvalid and their like.
        Misconfigured: RuntimeUnknown, FormatUnsupported.
        NotFound, Denied, Unavailable: the store's answer.
    """
    given = context.parameters
    data = _data(context)
    chosen = inference.choose(len(data.split), given.max_samples, given.dataset.seed)
    wanted = metrics.choose(given.metrics, data.task.metrics, data.facts.num_classes)
    artifact, subjects = _open_all(context, data)
    answers = []
    for subject in subjects:
        answers.append(inference.answers(subject.session, subject.name, data.split, chosen, data.task))
        log.info("answered", extra={"fields": {"model": subject.name, "samples": len(chosen)}})
    agreed = _agreement(artifact, subjects[0], data)
    measurements = _measure(given, subjects, answers, wanted, data.split)
    folder = context.folder("evaluation")
    _keep_predictions(folder / PREDICTIONS, chosen, answers)
    _keep_golden(folder / GOLDEN, subjects[0], data.split, chosen[: given.golden_samples])
    facts = EvaluateFacts(
        target=given.target.name,
        samples=len(chosen),
        candidate=measurements[0],
        baseline=measurements[1] if len(measurements) > 1 else None,
        paired=_paired(wanted, answers),
        differences=_differences(wanted, answers, given.dataset.seed),
        agreement=agreed,
        golden_digest=digest_of_file(folder / GOLDEN),
        predictions_digest=digest_of_file(folder / PREDICTIONS),
        model_digest=digest_of_file(subjects[0].path),
        node=processor.identify(given.target.cpu_features, processor.CPUINFO.read_text(encoding="utf-8")),
    )
    (folder / REPORT).write_bytes(canonical_json(facts.wire()))
    return StageOutcome(
        facts, Output(folder, ArtifactKind.EVALUATION, _manifest_facts(given, facts, subjects[0]))
    )


@dataclass(frozen=True, slots=True)
class Data:
    """The test split and what the dataset says of itself."""

    facts: DatasetFacts
    split: Split
    task: Task


def _data(context: StageContext[EvaluateInput]) -> Data:
    given = context.parameters.dataset
    reference = ArtifactRef(uri=given.uri, digest=given.digest)
    artifact = context.fetch(reference, ArtifactKind.DATASET, only=files_of(given.reader, given.splits.test))
    dataset = open_reader(given.reader, artifact)
    found = task(context.parameters.task, dataset.facts)
    return Data(dataset.facts, dataset.split(given.splits.test), found)


def _open_all(context: StageContext[EvaluateInput], data: Data) -> tuple[LocalArtifact, list[Subject]]:
    """The candidate's artifact, and the opened candidate with the baseline, if there is one, behind it."""
    given = context.parameters
    artifact = context.fetch(given.candidate, ArtifactKind.CANDIDATE, only={MODEL, FAKE_QUANT})
    files = [("candidate", artifact.file(MODEL), given.target.format)]
    if given.baseline is not None:
        baseline = context.fetch(given.baseline, ArtifactKind.FLOAT_STUDENT, only={FLOAT_MODEL})
        files.append(("baseline", baseline.file(FLOAT_MODEL), "ONNX"))
    open_model = opener(given.target.runtime)
    subjects = []
    for name, path, model_format in files:
        session = open_model(path, model_format, given.target.threads)
        inference.require_fit(session, name, data.facts.input_shape, data.task.output_shape(data.facts))
        subjects.append(Subject(name, path, model_format, session))
    return artifact, subjects


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


def _measure(
    given: EvaluateInput,
    subjects: list[Subject],
    answers: list[Answers],
    wanted: metrics.Chosen,
    split: Split,
) -> list[Measurement]:
    """All numbers of each subject; latency of all of them together, in turns."""
    target, seed = given.target, given.dataset.seed
    batches = [inference.call_input(subject.session, split, target.batch_size) for subject in subjects]
    calls = [partial(subject.session.run, batch) for subject, batch in zip(subjects, batches, strict=True)]
    measurements = []
    timings = latency.measure(calls, given.latency)
    for subject, answer, timing, batch in zip(subjects, answers, timings, batches, strict=True):
        load = footprint.Load(
            target.runtime, str(subject.path), subject.model_format, target.threads, batch.shape
        )
        measurement = Measurement(
            proportions=tuple(metrics.proportion(name, m, answer) for name, m in wanted.shares.items()),
            estimates=tuple(metrics.estimate(name, m, answer, seed) for name, m in wanted.wholes.items()),
            latency=timing,
            bytes=subject.path.stat().st_size,
            peak_resident_bytes=footprint.measure(load),
        )
        log.info("measured", extra={"fields": {"model": subject.name, **measurement.wire()}})
        measurements.append(measurement)
    return measurements


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
        "target": facts.target,
        "threads": given.target.threads,
    }
