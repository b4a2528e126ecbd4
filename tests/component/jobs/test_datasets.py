"""Datasets of each task from their source to a resolved input: processes on a real S3."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from compression_contract.exitcodes import ExitCode
from compression_contract.inputs import PrepareDataInput, ResolveInput, Unresolved
from compression_jobs.readers import sound
from compression_jobs.sources import keywords
from support import stages


def _nothing(folder: Path) -> Path:
    return folder


def _font(folder: Path) -> Path:
    """Any font will do: what it lacks is drawn as a box, and nobody learns from these lines."""
    font = Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    (folder / "font.ttf").write_bytes(font.read_bytes())
    return folder


def _words(folder: Path) -> Path:
    tone = (0.5 * np.sin(np.arange(6000) / 10)).astype(np.float32)
    for word in keywords.WORDS:
        (folder / word).mkdir()
        for voice in "abcd":
            (folder / word / f"{voice}-1.wav").write_bytes(sound.encode(tone, 22050))
    return folder


@pytest.mark.parametrize(
    ("kind", "source", "task", "expected"),
    [
        ("boards", _nothing, "ObjectDetection", ((1, 64, 64), 6, "coco")),
        ("ocr", _font, "OCRRecognition", ((1, 32, 96), 40, "ocr-list")),
        ("keywords", _words, "SpeechRecognition", ((1, 32, 64), 10, "audio-manifest")),
    ],
)
def test_what_is_prepared_is_resolved_for_its_task_and_refused_for_another(  # noqa: PLR0917 - fixtures
    object_store, bucket, tmp_path, kind, source, task, expected
):
    (tmp_path / "source").mkdir()
    made = PrepareDataInput(
        kind=kind, source=str(source(tmp_path / "source")), train_samples=12, test_samples=8
    )

    def run(name, parameters):
        document = stages.stage_input(parameters, object_store.endpoint, f"{bucket}/{name}")
        return stages.run(parameters.stage, tmp_path / name, document, object_store.writer)

    prepared = run("data", made)
    assert prepared.code == ExitCode.SUCCESS, prepared.log
    dataset = Unresolved(name="", uri=f"{bucket}/data", digest=prepared.result.artifact.digest)

    resolved = run("resolved", ResolveInput(task=task, dataset=dataset, reader=""))
    assert resolved.code == ExitCode.SUCCESS, resolved.log
    facts = resolved.result.facts
    assert (facts.input_shape, facts.num_classes, facts.reader) == expected
    assert facts.samples == {"train": 12, "test": 8}

    refused = run("refused", ResolveInput(task="TextClassification", dataset=dataset, reader=expected[-1]))
    assert (refused.code, refused.reason) == (ExitCode.USAGE, "TaskMismatch")
    refused = run("unread", ResolveInput(task=task, dataset=dataset, reader="npz"))
    assert (refused.code, refused.reason) == (ExitCode.USAGE, "ReaderDiffers")
