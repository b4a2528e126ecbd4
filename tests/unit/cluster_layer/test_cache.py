from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_operator.cluster.cache import MAX_GONE, Cache, slim
from compression_operator.engine.controller import Key
from unit.cluster_layer.builders import ended, job, own, owner, pod

A = Key("CompressionJob", "ns", "a")


@pytest.fixture
def cache() -> Cache:
    return Cache()


# Own objects


def test_an_older_event_never_replaces_what_is_known(cache: Cache) -> None:
    assert cache.put("CompressionJob", own(version=5, status={"n": 5}))
    assert not cache.put("CompressionJob", own(version=5, status={"n": 0}))
    assert not cache.put("CompressionJob", own(version=4, status={"n": 4}))
    assert cache.get(A)["status"] == {"n": 5}
    assert cache.put("CompressionJob", own(version=6, status={"n": 6}))
    assert cache.get(A)["status"] == {"n": 6}


def test_a_recreated_object_replaces_its_predecessor(cache: Cache) -> None:
    cache.put("CompressionJob", own(version=9))
    assert cache.put("CompressionJob", own(version=3, metadata={"uid": "uid-new"}))
    assert cache.get(A)["metadata"]["uid"] == "uid-new"
    cache.drop("CompressionJob", own(version=9))
    assert cache.get(A) is not None, "the predecessor's end is not the successor's"


def test_a_deleted_object_does_not_come_back_by_a_late_event(cache: Cache) -> None:
    cache.put("CompressionJob", own(version=1))
    cache.put_job(job())
    cache.drop("CompressionJob", own(version=2))
    assert not cache.put("CompressionJob", own(version=2))
    assert cache.get(A) is None
    assert cache.children("uid-a") == ()


def test_bookkeeping_is_not_kept() -> None:
    raw = own(
        metadata={
            "managedFields": [{"manager": "x"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"},
        }
    )
    kept = slim(raw)["metadata"]
    assert "managedFields" not in kept
    assert kept["annotations"] == {"mine": "1"}


def test_an_object_at_rest_is_there_without_its_content(cache: Cache) -> None:
    cache.put("CompressionJob", own())
    cache.put_to_rest(A)
    assert cache.get(A) is None
    assert cache.keys("CompressionJob") == [A]
    assert not cache.put("CompressionJob", own()), "its version is still known"


def test_keys_are_told_apart_by_kind_and_namespace(cache: Cache) -> None:
    cache.put("Promotion", own("Promotion", "p"))
    cache.put("Promotion", own("Promotion", "q", metadata={"namespace": "other"}))
    assert cache.keys("Promotion", "ns") == [Key("Promotion", "ns", "p")]
    assert len(cache.keys("Promotion")) == 2
    assert cache.keys("CompressionJob") == []


# Jobs and pods


def test_a_jobs_events_wake_its_owner_only_when_something_changed(cache: Cache) -> None:
    assert cache.put_job(job(version=1)) == A
    assert cache.put_job(job(version=1)) is None, "the echo of our own create"
    assert cache.put_job(job(version=2)) is None, "nothing a decision looks at"
    assert cache.put_job(job(version=3, conditions=("Complete",))) == A
    assert cache.put_job(job(version=2)) is None
    assert cache.children("uid-a")[0].complete


def test_a_job_without_an_owner_is_nobodys_child(cache: Cache) -> None:
    assert cache.put_job(job(metadata={"ownerReferences": []})) is None
    assert cache.counts()["jobs"] == 0


def test_pods_join_their_job_in_either_order(cache: Cache) -> None:
    assert cache.put_pod(pod("early")) is None
    assert cache.put_job(job()) == A
    assert cache.put_pod(pod("late")) == A
    (child,) = cache.children("uid-a")
    assert [each.name for each in child.pods] == ["early", "late"]


def test_a_pods_end_wakes_the_owner_of_its_job(cache: Cache) -> None:
    cache.put_job(job())
    cache.put_pod(pod(version=1))
    assert cache.put_pod(pod(version=2, **ended())) == A
    assert cache.put_pod(pod(version=3, **ended())) is None
    assert cache.children("uid-a")[0].pods[0].terminated.message == "result"


def test_a_job_deleted_before_its_result_is_lost(cache: Cache) -> None:
    cache.put_job(job())
    cache.put_pod(pod(phase="Running"))
    assert cache.drop_job(job(version=2)) == A
    (child,) = cache.children("uid-a")
    assert (child.lost, child.deleting) == (True, True)
    assert cache.put_job(job(version=3)) is None


def test_a_result_that_was_seen_survives_its_pod_and_its_job(cache: Cache) -> None:
    cache.put_job(job())
    cache.put_pod(pod(version=1, **ended()))
    cache.drop_pod(pod(version=2, **ended()))
    cache.drop_job(job(version=2))
    (child,) = cache.children("uid-a")
    assert not child.lost
    assert child.pods[0].terminated.exit_code == 0


def test_the_last_state_of_a_pod_may_come_with_its_deletion(cache: Cache) -> None:
    cache.put_job(job())
    cache.put_pod(pod(version=1))
    assert cache.drop_pod(pod(version=2, **ended())) == A
    assert cache.children("uid-a")[0].pods[0].terminated.message == "result"


def test_a_pod_that_ended_nothing_is_forgotten(cache: Cache) -> None:
    cache.put_job(job())
    cache.put_pod(pod(phase="Running"))
    assert cache.drop_pod(pod(version=2, phase="Running")) == A
    assert cache.children("uid-a")[0].pods == ()


@pytest.mark.parametrize("at_once", [True, False])
def test_what_we_deleted_is_no_loss(cache: Cache, at_once: bool) -> None:
    cache.put_job(job())
    cache.deleted_by_us("uid-j", at_once=at_once)
    assert [child.deleting for child in cache.children("uid-a")] == ([] if at_once else [True])
    cache.drop_job(job(version=2))
    assert cache.children("uid-a") == ()


def test_children_come_oldest_first(cache: Cache) -> None:
    for name, second in (("y", 2), ("x", 3), ("z", 1)):
        cache.put_job(job(name, metadata={"creationTimestamp": f"2026-01-01T00:00:0{second}Z"}))
    assert [child.name for child in cache.children("uid-a")] == ["z", "y", "x"]


def test_jobs_of_other_owners_are_not_children(cache: Cache) -> None:
    cache.put_job(job("mine"))
    cache.put_job(job("theirs", owner=owner(name="b")))
    assert [child.name for child in cache.children("uid-a")] == ["mine"]


def test_an_ended_job_without_an_ended_pod_is_unanswered_until_asked(cache: Cache) -> None:
    cache.put_job(job())
    cache.put_pod(pod("stale", phase="Running"))
    assert cache.unanswered("uid-a") == []
    cache.put_job(job(version=2, conditions=("Failed",)))
    assert [each.name for each in cache.unanswered("uid-a")] == ["j"]
    cache.answered("uid-j", [])
    assert cache.unanswered("uid-a") == []
    assert cache.children("uid-a")[0].pods == (), "a pod that is not there any more does not run"


def test_a_list_without_a_job_means_it_vanished(cache: Cache) -> None:
    cache.put_job(job("old", version=3))
    cache.put_job(job("young", version=12))
    cache.put_job(job("listed", version=2))
    assert cache.drop_unlisted({"uid-listed": 2}, version=10) == [A]
    assert {child.name: child.lost for child in cache.children("uid-a")} == {
        "old": True,
        "young": False,
        "listed": False,
    }
    assert cache.drop_unlisted({"uid-listed": 2}, version=10) == []


def test_memory_of_the_deleted_is_bounded(cache: Cache) -> None:
    for number in range(MAX_GONE + 10):
        cache.drop("CompressionJob", own(name=f"n{number}"))
    assert cache.put("CompressionJob", own(name="n0"))
    assert not cache.put("CompressionJob", own(name=f"n{MAX_GONE + 9}"))


@given(st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=12))
def test_in_whatever_order_events_come_the_latest_version_is_shown(events: list[tuple[int, bool]]) -> None:
    cache = Cache()
    cache.put_job(job())
    shown = 0
    for version, of_pod in events:
        if of_pod:
            cache.put_pod(pod(version=version, podIP=f"10.0.0.{version}"))
            shown = max(shown, version)
        else:
            cache.put_job(job(version=version))
    (child,) = cache.children("uid-a")
    assert [each.address for each in child.pods] == ([f"10.0.0.{shown}"] if shown else [])
