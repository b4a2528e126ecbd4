"""How answers of the API server are told apart, and what goes into a call."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compression_operator.cluster import credentials as module
from compression_operator.cluster.credentials import TOKEN_LIFE, Credentials
from compression_operator.cluster.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    InvalidError,
    NamespaceTerminatingError,
    NotFoundError,
    UnavailableError,
    error_of,
)
from compression_operator.cluster.events import Said, event, event_name
from compression_operator.cluster.projections import EPOCH
from compression_operator.cluster.resources import (
    COMPRESSION_JOB,
    COMPRESSION_RUNTIME,
    OWN_KINDS,
    POD,
    resource_of,
)
from compression_operator.core.actions import Notice
from compression_operator.core.observed import Identity


def status(reason: str, *causes: str) -> dict[str, Any]:
    return {"reason": reason, "message": "m", "details": {"causes": [{"reason": each} for each in causes]}}


@pytest.mark.parametrize(
    ("code", "body", "kind"),
    [
        (409, status("AlreadyExists"), AlreadyExistsError),
        (409, status("Conflict"), ConflictError),
        (409, status("Conflict", "FieldManagerConflict"), FieldConflictError),
        (403, status("Forbidden"), ForbiddenError),
        (403, status("Forbidden", "NamespaceTerminating"), NamespaceTerminatingError),
        (404, status("NotFound"), NotFoundError),
        (404, None, NotFoundError),
        (422, status("Invalid"), InvalidError),
        (400, status("BadRequest"), InvalidError),
        (413, None, InvalidError),
        (429, status("TooManyRequests"), UnavailableError),
        (500, status("InternalError"), UnavailableError),
        (503, None, UnavailableError),
        (504, {"details": None}, UnavailableError),
    ],
)
def test_an_answer_is_told_apart_by_its_reason(
    code: int, body: dict[str, Any] | None, kind: type[ApiError]
) -> None:
    error = error_of(code, body)
    assert type(error) is kind
    assert error.code == code
    assert str(error)


def test_paths() -> None:
    base = "/apis/compression.modelops.dev/v1alpha1"
    assert COMPRESSION_JOB.path() == f"{base}/compressionjobs"
    assert COMPRESSION_JOB.path("n", "j", "status") == f"{base}/namespaces/n/compressionjobs/j/status"
    assert COMPRESSION_RUNTIME.path("ignored", "default") == f"{base}/compressionruntimes/default"
    assert POD.path("n", "../../secrets") == "/api/v1/namespaces/n/pods/..%2F..%2Fsecrets"


def test_every_kind_of_ours_has_a_place() -> None:
    for resource in OWN_KINDS:
        assert resource_of(resource.api_version, resource.kind) is resource
    with pytest.raises(KeyError):
        resource_of("v1", "Secret")


class Clock:
    def __init__(self) -> None:
        self.now = time.monotonic()


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Credentials, Path, Clock]:
    file, clock = tmp_path / "token", Clock()
    file.write_text("first\n")
    monkeypatch.setattr(module.time, "monotonic", lambda: clock.now)
    info = SimpleNamespace(
        server="https://h/",
        token="first",
        proxy_url=None,
        as_ssl_context=lambda: None,
        as_http_headers=lambda: {"Authorization": "Bearer first"},
    )
    return Credentials(info, file), file, clock  # type: ignore[arg-type]


def test_a_rotated_token_is_read_after_a_minute(token: tuple[Credentials, Path, Clock]) -> None:
    credentials, file, clock = token
    file.write_text("second\n")
    assert credentials.headers() == {"Authorization": "Bearer first"}
    clock.now += TOKEN_LIFE + 1
    assert credentials.headers() == {"Authorization": "Bearer second"}


def test_a_refused_token_is_read_again_at_once(token: tuple[Credentials, Path, Clock]) -> None:
    credentials, file, _ = token
    file.write_text("second\n")
    credentials.expire()
    assert credentials.headers() == {"Authorization": "Bearer second"}


def test_a_token_file_that_is_gone_leaves_the_token_we_have(token: tuple[Credentials, Path, Clock]) -> None:
    credentials, file, _ = token
    file.unlink()
    credentials.expire()
    assert credentials.headers() == {"Authorization": "Bearer first"}


IDENTITY = Identity("ns", "a", "uid", 1, "1", EPOCH)
NOTICE = Notice("key", "Reason", "m" * 3000, "Warning")


def test_an_events_name_is_a_function_of_object_and_notice() -> None:
    assert event_name(IDENTITY, NOTICE) == event_name(IDENTITY, NOTICE)
    others = [
        event_name(IDENTITY, Notice("other", "Reason", "m")),
        event_name(Identity("ns", "a", "uid-2", 1, "1", EPOCH), NOTICE),
    ]
    assert len({event_name(IDENTITY, NOTICE), *others}) == 3
    assert len(event_name(Identity("ns", "a" * 253, "u", 1, "1", EPOCH), NOTICE)) <= 253


def test_an_event_about_a_cluster_scoped_object_has_a_place() -> None:
    body = event("g/v1", "Kind", Identity("", "a", "uid", 1, "1", EPOCH), NOTICE, EPOCH)
    assert body["metadata"]["namespace"] == "default"
    assert "namespace" not in body["involvedObject"]
    assert len(body["message"]) == 1024


def test_memory_of_what_was_said_is_bounded() -> None:
    said = Said(size=2)
    for name in "abc":
        said.add(("ns", name))
    assert [("ns", name) in said for name in "abc"] == [False, True, True]
