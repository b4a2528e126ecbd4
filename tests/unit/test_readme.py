"""What the README shows is what the repository holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_manifest_in_the_readme_is_the_example_to_the_letter_and_stays_at_25_lines():
    shown = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    manifest = (ROOT / "crds/examples/fashion-mnist.yaml").read_text()
    assert shown[1] == manifest
    assert len([line for line in manifest.splitlines() if not line.startswith("#")]) <= 25


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(((?!https?:)[^)#]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(target):
    assert (ROOT / target).exists()


def test_every_verb_that_the_readme_names_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for verb in set(re.findall(r"`make ([a-z-]+)", README)):
        assert re.search(rf"^{verb}:", makefile, re.MULTILINE), verb


def test_ci_runs_exactly_the_readmes_test_command():
    assert "$ make test" in README
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")
