from __future__ import annotations

from typing import Any

import pytest

from compression_operator.cluster.cache import Cache
from compression_operator.engine.controller import Key
from compression_operator.handlers import Handlers
from unit.cluster_layer.builders import ended, job, own, owner, pod

A = Key("CompressionJob", "ns", "a")
TARGET = Key("ServingTarget", "ns", "web")


class Inbox:
    """Handlers with a cache, and the keys they added."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.added: list[Key] = []
        self.handlers = Handlers(self.cache, self.added.append)

    def keys(self) -> list[Key]:
        taken, self.added[:] = list(self.added), []
        return taken


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def target() -> dict[str, Any]:
    return own("ServingTarget", "web", spec={"deploymentRef": {"name": "deploy"}})


def promotion(**spec: Any) -> dict[str, Any]:
    return own("Promotion", "p", spec={"targetRef": {"name": "web"}, **spec})


def done(**parts: Any) -> dict[str, Any]:
    return own(status={"conditions": [{"type": "Complete", "status": "True"}]}, **parts)


def test_each_event_is_one_key_and_its_echo_none(inbox: Inbox) -> None:
    inbox.handlers.own("CompressionJob", None, own(version=1))
    inbox.handlers.own("CompressionJob", "MODIFIED", own(version=1))
    inbox.handlers.own("CompressionJob", "MODIFIED", own(version=2))
    assert inbox.keys() == [A, A]


def test_a_deleted_object_is_looked_at_once_more(inbox: Inbox) -> None:
    inbox.handlers.own("CompressionJob", "ADDED", own(version=1))
    inbox.handlers.own("CompressionJob", "DELETED", own(version=2))
    assert inbox.keys() == [A, A]
    assert inbox.cache.get(A) is None


def test_a_child_wakes_its_owner(inbox: Inbox) -> None:
    inbox.handlers.job("ADDED", job(version=1))
    inbox.handlers.pod("ADDED", pod(version=1))
    inbox.handlers.pod("MODIFIED", pod(version=2, **ended()))
    inbox.handlers.pod("DELETED", pod(version=3, **ended()))
    inbox.handlers.job("DELETED", job(version=2))
    assert inbox.keys() == [A] * 5


def test_an_ended_run_without_anything_left_is_never_looked_at(inbox: Inbox) -> None:
    inbox.handlers.own("CompressionJob", None, done())
    assert inbox.keys() == []
    assert inbox.cache.keys("CompressionJob") == [A]


@pytest.mark.parametrize(
    "parts",
    [
        {"spec": {"ttlSecondsAfterFinished": 0}},
        {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
    ],
)
def test_an_ended_run_with_something_left_is_looked_at(inbox: Inbox, parts: dict[str, Any]) -> None:
    inbox.handlers.own("CompressionJob", None, done(**parts))
    assert inbox.keys() == [A]


def test_an_ended_run_with_children_is_looked_at(inbox: Inbox) -> None:
    inbox.cache.put_job(job())
    inbox.handlers.own("CompressionJob", None, done())
    assert inbox.keys() == [A]


def test_a_promotion_wakes_its_target_and_the_job_that_asked(inbox: Inbox) -> None:
    inbox.handlers.own("Promotion", "ADDED", promotion(requestedBy={"kind": "CompressionJob", "name": "a"}))
    assert inbox.keys() == [TARGET, A]
    inbox.handlers.own("Promotion", "ADDED", own("Promotion", "q", spec={"targetRef": {"name": "web"}}))
    assert inbox.keys() == [TARGET]


def test_a_probe_wakes_the_target_of_its_promotion(inbox: Inbox) -> None:
    inbox.handlers.job("ADDED", job("early", owner=owner("Promotion", "p")))
    assert inbox.keys() == [], "nobody knows yet which target that is"
    inbox.handlers.own("Promotion", "ADDED", promotion())
    inbox.keys()
    inbox.handlers.job("ADDED", job("probe", owner=owner("Promotion", "p")))
    assert inbox.keys() == [TARGET]


def test_a_deployment_wakes_the_targets_that_name_it(inbox: Inbox) -> None:
    inbox.handlers.own("ServingTarget", None, target())
    elsewhere = own(
        "ServingTarget", "web", metadata={"namespace": "other", "uid": "o"}, spec=target()["spec"]
    )
    inbox.handlers.own("ServingTarget", None, elsewhere)
    inbox.keys()
    inbox.handlers.deployment("MODIFIED", {"metadata": {"name": "deploy", "namespace": "ns"}})
    assert inbox.keys() == [TARGET]
    inbox.handlers.deployment("MODIFIED", {"metadata": {"name": "another", "namespace": "ns"}})
    assert inbox.keys() == []


def test_a_preview_wakes_the_target_of_its_promotion(inbox: Inbox) -> None:
    inbox.handlers.own("Promotion", "ADDED", promotion())
    inbox.keys()
    preview = {"metadata": {"name": "x", "namespace": "ns", "ownerReferences": [owner("Promotion", "p")]}}
    inbox.handlers.deployment("MODIFIED", preview)
    assert inbox.keys() == [TARGET]


def test_a_runtime_wakes_those_who_may_wait_for_it(inbox: Inbox) -> None:
    inbox.handlers.own("CompressionJob", None, own())
    inbox.handlers.own("CompressionJob", None, done(metadata={"name": "ended", "uid": "e"}))
    inbox.handlers.own("ServingTarget", None, target())
    inbox.keys()
    runtime = own("CompressionRuntime", "default", metadata={"namespace": ""})
    inbox.handlers.own("CompressionRuntime", "ADDED", runtime)
    assert inbox.keys() == [Key("CompressionRuntime", "", "default"), A, TARGET]


def test_a_release_wakes_the_targets(inbox: Inbox) -> None:
    inbox.handlers.own("ServingTarget", None, target())
    inbox.keys()
    inbox.handlers.own("ModelVersion", "ADDED", own("ModelVersion", "m"))
    assert inbox.keys() == [TARGET]
