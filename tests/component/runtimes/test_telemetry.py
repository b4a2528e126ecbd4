"""ONNX Runtime reports its use to nobody: neither an identifier nor a queue of events is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import tiny

JOBS = Path(__file__).resolve().parents[3] / "jobs"
OPEN = """
import sys
import {package}
import onnxruntime
onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""


def written(home: Path, package: str) -> list[Path]:
    """What a process that opens a model leaves in its home."""
    home.mkdir()
    model = tiny.words_model(home.parent / "words.onnx")
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(JOBS)}
    script = OPEN.format(package=package)
    subprocess.run([sys.executable, "-c", script, str(model)], env=variables, check=True, timeout=120)
    return [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("package", ["compression_jobs", "compression_serving"])
def test_a_process_of_ours_that_opens_a_model_leaves_no_trace_of_it(tmp_path, package):
    assert written(tmp_path / "home", package) == []


def test_without_us_it_would(tmp_path):
    assert written(tmp_path / "home", "json") != []
