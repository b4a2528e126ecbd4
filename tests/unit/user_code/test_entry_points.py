"""What an author's folder offers, and whose fault an error in it is."""

import json
import sys
from pathlib import Path

import pytest

from compression_jobs import failures, user_code
from compression_jobs.errors import InvalidData
from compression_jobs.user_code import entry_points


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(user_code, "_loaded", [])


def folder(path: Path, **modules: str) -> Path:
    for name, text in modules.items():
        (path / f"{name}.py").write_text(text)
    return path


def describe(path: Path, **points: str) -> entry_points.Description:
    (path / "code.json").write_text(json.dumps({"entryPoints": points}))
    return entry_points.describe(path)


def test_a_folder_describes_itself(tmp_path: Path):
    assert describe(tmp_path, network="nets.small:build").entry_points.network == "nets.small:build"


@pytest.mark.parametrize("point", ["build", "../x:y", "a:b:c", "os.system", "a b:c", ":x", "x:"])
def test_only_modules_and_names_are_entry_points(tmp_path: Path, point: str):
    with pytest.raises(InvalidData, match=r"code\.json"):
        describe(tmp_path, network=point)


def test_a_folder_without_description_says_so(tmp_path: Path):
    with pytest.raises(InvalidData, match=r"code\.json"):
        entry_points.describe(tmp_path)


def test_what_is_named_is_imported(tmp_path: Path):
    folder(tmp_path, my_network_a="from my_helper_a import two\ndef build(shape, classes): return two")
    folder(tmp_path, my_helper_a="two = 2")
    assert entry_points.imported(tmp_path, "my_network_a:build")((1,), 2) == 2


@pytest.mark.parametrize(
    ("module", "point", "says"),
    [
        ("my_network_b", "absent_b:build", "no module"),
        ("my_network_b", "os:system", "no module"),
        ("my_network_b", "my_network_b:absent", "has no absent"),
        ("random", "random:build", "another module"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, module: str, point: str, says: str):
    folder(tmp_path, **{module: "def build(): ..."})
    with pytest.raises(InvalidData, match=says) as caught:
        entry_points.imported(tmp_path, point)
    assert caught.value.reason == "CodeInvalid"


def test_an_error_in_the_code_is_the_authors_with_its_place(tmp_path: Path):
    folder(tmp_path, my_network_c="def build(shape, classes):\n    return missing")
    user_code._loaded.append(tmp_path)
    with pytest.raises(NameError) as caught:
        entry_points.imported(tmp_path, "my_network_c:build")((1,), 2)
    found = failures.as_stage_error(caught.value, tmp_path)
    assert found.reason == "UserCodeFailed"
    assert "my_network_c.py:2" in found.message
    assert "name 'missing' is not defined" in found.message


def test_an_error_elsewhere_is_not_the_authors(tmp_path: Path):
    user_code._loaded.append(tmp_path)
    assert user_code.blame(ZeroDivisionError()) is None
