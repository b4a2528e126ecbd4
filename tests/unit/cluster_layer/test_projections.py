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


def over(exit_code: int = 0, message: str = "", reason: str = "Completed") -> dict[str, Any]:
    """The state of a container that has ended."""
    state: dict[str, Any] = ended(exit_code, message, reason)["containerStatuses"][0]["state"]
    return state


def split(
    main: dict[str, Any] | None, store: dict[str, Any] | None, phase: str = "Running"
) -> dict[str, Any]:
    """A pod whose first container ran an author's code, beside one that stores what it left."""
    raw = pod(
        phase=phase,
        containerStatuses=[{"name": "stage", "state": main or {"running": {}}}],
        initContainerStatuses=[
            {"name": "fetch", "state": over()},
            {"name": "store", "state": store or {"running": {"startedAt": "2026-01-01T00:00:03Z"}}},
        ],
    )
    raw["spec"]["initContainers"] = [{"name": "fetch"}, {"name": "store", "restartPolicy": "Always"}]
    return raw


@pytest.mark.parametrize(
    ("main", "store", "code", "reason", "message"),
    [
        (over(0, "top1 is 1.0!"), over(0, "stored"), 0, "Completed", "stored"),
        (over(0, "top1 is 1.0!"), over(74, "no room", "Error"), 74, "Error", "no room"),
        (over(65, "lies", "Error"), over(0, "why"), 65, "Error", "why"),
        (over(137, "lies", "OOMKilled"), over(0, ""), 137, "OOMKilled", ""),
    ],
)
def test_what_an_authors_code_says_is_not_read(
    main: dict[str, Any], store: dict[str, Any], code: int, reason: str, message: str
) -> None:
    view = pod_view(split(main, store))
    assert view.terminated is not None
    assert (view.terminated.exit_code, view.terminated.reason, view.terminated.message) == (
        code,
        reason,
        message,
    )


def test_a_pod_goes_on_until_its_result_is_stored() -> None:
    assert pod_view(split(None, None)).terminated is None
    assert pod_view(split(over(0, "x"), None)).terminated is None
    restarted = over(1, "restarted")
    assert pod_view(split(None, restarted)).terminated is None


def test_a_pod_that_is_over_without_a_word_of_its_second_container_has_no_result() -> None:
    view = pod_view(split(over(0, "top1 is 1.0!"), None, phase="Succeeded"))
    assert view.terminated is not None
    assert (view.terminated.exit_code, view.terminated.message) == (0, "")


def test_a_pod_that_cannot_fetch_says_why() -> None:
    raw = split(
        {"waiting": {"reason": "PodInitializing"}}, {"waiting": {"reason": "PodInitializing"}}, "Failed"
    )
    raw["status"]["initContainerStatuses"][0]["state"] = over(66, "no such dataset", "Error")
    view = pod_view(raw)
    assert view.terminated is not None
    assert (view.terminated.exit_code, view.terminated.message) == (66, "no such dataset")


def test_a_pod_that_fetches_has_begun() -> None:
    raw = pod(
        initContainerStatuses=[
            {"name": "fetch", "state": {"running": {"startedAt": "2026-01-01T00:00:02Z"}}},
            {"name": "store", "state": {"waiting": {"reason": "PodInitializing"}}},
        ]
    )
    assert pod_view(raw).started == datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert pod_view(pod()).started is None


@pytest.mark.parametrize(("index", "rank"), [("0", 0), ("3", 3), ("x", 0)])
def test_the_pods_of_an_indexed_job_are_numbered(index: str, rank: int) -> None:
    raw = pod()
    raw["metadata"]["annotations"] = {"batch.kubernetes.io/job-completion-index": index}
    assert pod_view(raw).rank == rank


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
