"""What leaves the pod holds no secrets and no control characters, and is no longer than it may be."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_jobs.redaction import MAX_MESSAGE, Redactor, mounted_secrets

SECRET = "wJalrXUtnFEMI/K7MDENG"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"key {SECRET} refused", "key [redacted] refused"),
        (
            "see https://user:pass@host/x and s3://k@b/",
            "see https://[redacted]@host/x and s3://[redacted]@b/",
        ),
        ("mail to a@b stays", "mail to a@b stays"),
        ("line\nbreak\x1b[31m\x00", "line\\x0abreak\\x1b[31m\\x00"),
        ("right\u202eto left", "right\\x202eto left"),
        ("  blanks around ", "blanks around"),
    ],
)
def test_a_sentence_is_cleaned(text, clean):
    assert Redactor([SECRET]).sentence(text) == clean


def test_a_long_sentence_is_cut_with_a_mark():
    assert Redactor().sentence("a" * 600) == "a" * (MAX_MESSAGE - 1) + "…"


def test_a_short_value_is_no_secret():
    assert Redactor(["", "abc"]).sentence("abc and more") == "abc and more"


def test_the_longer_of_two_secrets_is_hidden_whole():
    assert Redactor([SECRET, SECRET + "-and-more"]).hide(f"{SECRET}-and-more") == "[redacted]"


@given(st.text(max_size=1000), st.integers(0, 1000))
def test_a_secret_never_survives(text, place):
    assert SECRET not in Redactor([SECRET]).sentence(text[:place] + SECRET + text[place:])


@given(st.text(max_size=1000))
def test_a_sentence_is_one_printable_line_that_can_be_encoded(text):
    sentence = Redactor().sentence(text)

    assert len(sentence) <= MAX_MESSAGE
    assert sentence.encode().decode() == sentence
    assert len(sentence.splitlines()) <= 1


def test_finds_the_secret_values_of_mounted_secrets(tmp_path: Path):
    storage, registry = tmp_path / "s3", tmp_path / "registry"
    storage.mkdir()
    registry.mkdir()
    (storage / "accessKeyId").write_text("the-user-name")
    (storage / "secretAccessKey").write_text(f"{SECRET}\n")
    auth = base64.b64encode(b"robot:registry-password").decode()
    config = {"auths": {"registry.example.com": {"username": "robot-name", "auth": auth, "email": None}}}
    (registry / ".dockerconfigjson").write_text(json.dumps(config))

    found = set(mounted_secrets([storage, registry, tmp_path / "absent"]))

    assert {SECRET, auth, "registry-password"} <= found
    assert not {"the-user-name", "robot-name"} & found


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', '{"auths": {"x": {"auth": "not base64!"}}}'])
def test_a_secret_that_cannot_be_read_hides_nothing_and_harms_nothing(tmp_path: Path, text):
    (tmp_path / ".dockerconfigjson").write_text(text)

    assert Redactor(mounted_secrets([tmp_path])).hide("a plain text") == "a plain text"
