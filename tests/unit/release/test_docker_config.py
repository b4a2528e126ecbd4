"""Accounts of a docker config, and challenges of registries."""

import base64
import json

import pytest

from compression_jobs.registry.auth import Challenge, Credentials, DockerConfig


def config(**auths) -> bytes:
    return json.dumps({"auths": auths}).encode()


def encoded(user: str, password: str) -> dict:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    "raw",
    [
        config(**{"reg.example.com": encoded("u", "p:w")}),
        config(**{"reg.example.com": {"username": "u", "password": "p:w"}}),
        config(**{"https://reg.example.com/v2/": encoded("u", "p:w")}),
        config(**{"https://reg.example.com/": {**encoded("x", "y"), "username": "u", "password": "p:w"}}),
    ],
)
def test_an_account_is_found_in_every_form_that_clients_write(raw):
    assert DockerConfig.parse(raw).account_for("reg.example.com") == Credentials("u", "p:w")


def test_the_account_of_the_longest_path_wins():
    accounts = {"reg": encoded("whole", ""), "reg/team": encoded("team", ""), "reg/team/x": encoded("x", "")}
    found = DockerConfig.parse(config(**accounts))
    names = {path: found.account_for("reg", path).username for path in ("a", "team/y", "team/x", "teammate")}
    assert names == {"a": "whole", "team/y": "team", "team/x": "x", "teammate": "whole"}
    assert found.account_for("reg.example.com") is None


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"not json", "is not JSON of the form"),
        (b"[]", "is not JSON of the form"),
        (b'{"auths": []}', "is not JSON of the form"),
        (b'{"auths": {"h": 7}}', "is not JSON of the form"),
        (config(h={"auth": "???"}), "not base64 text"),
        (config(h={"auth": base64.b64encode(b"nocolon").decode()}), "not user:password"),
        (config(h={"identitytoken": "t"}), "identity token"),
        (b" " * (1 << 21), "larger than"),
    ],
)
def test_what_cannot_be_read_is_said_without_quoting_it(raw, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        DockerConfig.parse(raw)
    assert "nocolon" not in str(refused.value)


def test_an_entry_without_an_account_means_anonymous_access():
    assert DockerConfig.parse(config(h={})).account_for("h") is None


def test_a_password_never_shows_in_a_representation():
    assert "hunter2" not in repr(Credentials("u", "hunter2"))


def test_a_bearer_challenge_is_read_with_commas_inside_its_values():
    header = 'Bearer realm="https://auth/token",service="reg", scope="repository:a/b:pull,push"'
    challenge = Challenge.parse(header)
    assert challenge.scheme == "bearer"
    expected = {"realm": "https://auth/token", "service": "reg", "scope": "repository:a/b:pull,push"}
    assert challenge.parameters == expected
    assert Challenge.parse("").scheme == ""
