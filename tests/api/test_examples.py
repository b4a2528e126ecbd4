"""The examples are what they say: the API server takes them, and the first job is short."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from compression_operator.api import CompressionJob
from support.manifests import DIGEST, IMAGE

EXAMPLES = Path(__file__).resolve().parents[2] / "crds" / "examples"
FIRST = EXAMPLES / "fashion-mnist.yaml"


def filled(path: Path) -> str:
    """The example with its placeholders filled in as `make demo` would."""
    values = {"IMAGE": IMAGE, "DIGEST": DIGEST, "HASH": DIGEST, "HASH8": "abababab"}
    text = path.read_text()
    return re.sub(r"\$\{(?:[A-Z0-9]+_)*([A-Z0-9]+)\}", lambda found: values.get(found[1], "x"), text)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_server_takes_the_example(people, path):
    for document in yaml.safe_load_all(filled(path)):
        assert people.refusal(document) == ""


def test_the_first_job_fits_25_lines_and_says_what_it_means():
    text = FIRST.read_text()
    assert len(text.splitlines()) <= 25
    job = CompressionJob.parse(yaml.safe_load(filled(FIRST)))
    assert {gate.type for gate in job.spec.gates} >= {"Metric", "MetricDrop", "Size", "Vulnerability"}


def test_the_notes_of_the_chart_show_a_job_that_the_server_takes(people):
    notes = EXAMPLES.parents[1] / "charts" / "compression-operator" / "templates" / "NOTES.txt"
    lines = notes.read_text().splitlines()
    start = lines.index("  apiVersion: compression.modelops.dev/v1alpha1")
    manifest = yaml.safe_load("\n".join(lines[start : lines.index("", start)]))
    assert people.refusal(json.loads(json.dumps(manifest))) == ""
