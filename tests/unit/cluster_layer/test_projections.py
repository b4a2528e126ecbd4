from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_operator.cluster.projections import (
    child_job,
    deployment_view,
    identity_of,
    image_manager,
    moment,
    owner_of,
    pod_view,
    version_of,
)
from compression_operator.engine.controller import Key
from unit.cluster_layer.builders import ended, job, own, pod


def test_an_empty_object_is_read_without_a_complaint() -> None:
    for read in (child_job, pod_view, identity_of):
        assert read({}).name == ""
    view = deployment_view({}, "server")
    assert (view.replicas, view.image_manager, view.image("server")) == (1, None, None)


def test_a_job() -> None:
    child = child_job(job(conditions=("Failed",)))
    assert (child.name, child.uid, child.owner_uid, child.role) == ("j", "uid-j", "uid-a", "train")
    assert (child.input_hash, child.complete, child.failed) == ("sha256:1", False, True)
    assert (child.failed_reason, child.failed_message) == ("R", "m")
    assert child.created == datetime(2026, 1, 1, tzinfo=UTC)
    assert "other" not in child.labels


@pytest.mark.parametrize(
    ("condition", "complete", "failed"),
    [
        ("Complete", True, False),
        ("SuccessCriteriaMet", True, False),
        ("Failed", False, True),
        ("FailureTarget", False, True),
        ("Suspended", False, False),
    ],
)
def test_the_conditions_of_a_job(condition: str, complete: bool, failed: bool) -> None:
    child = child_job(job(conditions=(condition,)))
    assert (child.complete, child.failed) == (complete, failed)


def test_a_condition_that_is_false_does_not_count() -> None:
    raw = job(status={"conditions": [{"type": "Complete", "status": "False"}]})
    assert not child_job(raw).complete


def test_an_ended_pod() -> None:
    view = pod_view(pod(**ended(exit_code=65, message="why", reason="Error")))
    assert view.terminated is not None
    assert (view.terminated.exit_code, view.terminated.reason) == (65, "Error")
    assert view.terminated.message == "why"
    assert view.terminated.finished == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    assert view.started == datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
    assert (view.owner_uid, view.node) == ("uid-j", "n")
    assert (view.images, view.image_id) == (("i@sha256:1",), "i@sha256:1")


def test_a_message_is_never_longer_than_the_kubelet_makes_it() -> None:
    view = pod_view(pod(**ended(message="x" * 10_000)))
    assert view.terminated is not None
    assert len(view.terminated.message) == 4096


def test_an_init_container_that_failed_is_the_pods_end() -> None:
    failed = ended(exit_code=66)["containerStatuses"]
    waiting = [{"name": "stage", "state": {"waiting": {"reason": "PodInitializing"}}}]
    view = pod_view(pod(phase="Failed", initContainerStatuses=failed, containerStatuses=waiting))
    assert view.terminated is not None
    assert view.terminated.exit_code == 66
    assert view.waiting_reason == ""


def test_an_init_container_that_did_its_work_is_no_end() -> None:
    done = ended(exit_code=0)["containerStatuses"]
    assert pod_view(pod(phase="Running", initContainerStatuses=done)).terminated is None


def test_a_pod_that_was_evicted_before_it_ran_has_no_end_of_a_container() -> None:
    view = pod_view(pod(phase="Failed", reason="Evicted", message="disk"))
    assert (view.phase, view.terminated) == ("Failed", None)


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CreateContainerConfigError", "CrashLoopBackOff"])
def test_why_a_container_waits(reason: str) -> None:
    waiting = [{"name": "stage", "state": {"waiting": {"reason": reason, "message": "m" * 5000}}}]
    view = pod_view(pod(containerStatuses=waiting))
    assert view.waiting_reason == reason
    assert len(view.waiting_message) == 1024


def test_a_container_that_is_being_made_waits_for_nothing_special() -> None:
    waiting = [{"name": "stage", "state": {"waiting": {"reason": "ContainerCreating"}}}]
    assert pod_view(pod(containerStatuses=waiting)).waiting_reason == ""


def test_the_conditions_of_a_pod() -> None:
    conditions = [
        {"type": "PodScheduled", "status": "False", "message": "0/1 nodes"},
        {"type": "DisruptionTarget", "status": "True"},
        {"type": "Ready", "status": "True"},
    ]
    view = pod_view(pod(conditions=conditions))
    assert (view.scheduled, view.unschedulable_message) == (False, "0/1 nodes")
    assert (view.disrupted, view.ready) == (True, True)
    assert pod_view(pod()).scheduled, "a pod nobody has looked at yet is not unschedulable"


MANAGED = [
    ("kubectl-client-side-apply", "Update", "2026-01-01T00:00:00Z", {"f:image": {}, "f:name": {}}),
    ("argocd-controller", "Apply", "2026-01-03T00:00:00Z", {"f:image": {}}),
    ("kubectl-set", "Update", "2026-01-04T00:00:00Z", {"f:resources": {}}),
]


def deployment(*managers: tuple[str, str, str, dict[str, Any]], **parts: Any) -> dict[str, Any]:
    managed = [
        {
            "manager": name,
            "operation": operation,
            "time": time,
            "fieldsV1": {
                "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"server"}': fields}}}}
            },
        }
        for name, operation, time, fields in managers
    ]
    spec = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"spec": {"containers": [{"name": "server", "image": "i@sha256:1"}]}},
        **parts.pop("spec", {}),
    }
    meta = {"name": "web", "namespace": "ns", "uid": "u", "resourceVersion": "7", "managedFields": managed}
    return {"metadata": meta, "spec": spec, "status": parts.pop("status", {})}


def test_the_manager_of_an_image_is_the_latest_that_owns_it() -> None:
    raw = deployment(*MANAGED)
    assert image_manager(raw, "server") == ("argocd-controller", "Apply")
    assert image_manager(raw, "sidecar") is None
    assert image_manager(deployment(), "server") is None


def test_a_deployment() -> None:
    status = {
        "observedGeneration": 3,
        "replicas": 4,
        "updatedReplicas": 3,
        "availableReplicas": 2,
        "readyReplicas": 2,
        "conditions": [
            {
                "type": "Progressing",
                "status": "False",
                "reason": "ProgressDeadlineExceeded",
                "lastUpdateTime": "2026-11-22T10:00:00Z",
            }
        ],
    }
    view = deployment_view(deployment(spec={"replicas": 0}, status=status), "server", [pod("b"), pod("a")])
    assert (view.replicas, view.total, view.updated, view.available, view.ready) == (0, 4, 3, 2, 2)
    assert view.progress_deadline_exceeded == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert view.selector == {"app": "web"}
    assert view.image("server") == "i@sha256:1"
    assert [each.name for each in view.pods] == ["a", "b"]


def test_only_a_controller_is_an_owner() -> None:
    reference = {"kind": "X", "name": "x", "uid": "u"}
    assert owner_of(own(metadata={"ownerReferences": [reference]})) is None
    assert owner_of(own(metadata={"ownerReferences": [{**reference, "controller": True}]})) == (
        Key("X", "ns", "x"),
        "u",
    )


@pytest.mark.parametrize("text", [None, "", "yesterday", 5, "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_none(text: object) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    "text", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00"]
)
def test_a_time_has_a_zone(text: str) -> None:
    assert moment(text) == datetime(2026, 1, 1, tzinfo=UTC)


@given(st.text(max_size=20))
def test_an_unreadable_version_is_older_than_all(text: str) -> None:
    assert version_of({"metadata": {"resourceVersion": text}}) >= 0
