"""What an ended, a waiting and a vanished child mean."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_contract.artifacts import ArtifactRef
from compression_contract.base import digest_of
from compression_contract.exitcodes import ExitClass
from compression_contract.results import Failure, ProbeFacts, StageResult, TrainFacts
from compression_operator.core.observed import ChildJob, PodView, Terminated
from compression_operator.core.outcomes import UNKNOWN_HASH, Expected, Failed, Going, Succeeded, outcome_of
from compression_operator.core.results import read_result

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HASH = digest_of(b"input")
EXPECTED = Expected(HASH, "ptq", artifact=True)
ARTIFACT = ArtifactRef(uri="s3://team-a/x/y", digest=HASH)
RESULT = StageResult(input_hash=HASH, artifact=ARTIFACT, facts=TrainFacts(stage="ptq", seconds=1))
SAID_NO = StageResult(input_hash=HASH, failure=Failure(reason="DatasetMissing", message="no such dataset"))


def wire(result):
    return result.model_dump_json(by_alias=True, exclude_none=True)


def pod(**fields):
    return PodView(
        **{"name": "p", "uid": "u", "owner_uid": "job", "phase": "Pending", "created": NOW, **fields}
    )


def ended(code, message="", reason="", **fields):
    return pod(phase="Failed", terminated=Terminated(code, reason, message, NOW), **fields)


def child(*pods, **fields):
    defaults = {"owner_uid": "o", "role": "train", "input_hash": HASH, "created": NOW}
    return ChildJob(name="c", uid="job", pods=pods, **{**defaults, **fields})


def read(seen, *, queued=False):
    return outcome_of(seen, EXPECTED, queued=queued)


def test_exit_0_with_a_valid_result_is_success():
    outcome = read(child(ended(0, wire(RESULT))))
    assert outcome == Succeeded(RESULT, NOW)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "ResultMissing"),
        ("   ", "ResultMissing"),
        ("done!", "ResultMalformed"),
        ('{"schemaVersion":"v2"}', "ResultMalformed"),
        (wire(RESULT)[:-1] + ',"extra":1}', "ResultMalformed"),
        ('{"inputHash":"' + HASH + '","facts":{"stage":"ptq","seconds":NaN}}', "ResultMalformed"),
        ("x" * 4000, "ResultTooLarge"),
        (wire(RESULT.model_copy(update={"input_hash": digest_of(b"other")})), "ResultMismatch"),
        (wire(SAID_NO), "ResultMismatch"),
        (wire(RESULT.model_copy(update={"facts": None})), "ResultMismatch"),
        (wire(RESULT.model_copy(update={"facts": TrainFacts(stage="qat", seconds=1)})), "ResultMismatch"),
        (wire(RESULT.model_copy(update={"artifact": None})), "ResultMismatch"),
    ],
)
def test_exit_0_without_a_valid_result_is_tried_again(message, reason):
    outcome = read(child(ended(0, message)))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason) == (ExitClass.RETRYABLE, reason)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, ExitClass.PERMANENT),
        (64, ExitClass.PERMANENT),
        (65, ExitClass.PERMANENT),
        (66, ExitClass.PERMANENT),
        (69, ExitClass.RETRYABLE),
        (70, ExitClass.PERMANENT),
        (74, ExitClass.RETRYABLE),
        (75, ExitClass.RETRYABLE),
        (77, ExitClass.PERMANENT),
        (78, ExitClass.PERMANENT),
        (80, ExitClass.UNMET),
        (137, ExitClass.RETRYABLE),
        (143, ExitClass.RETRYABLE),
        (255, ExitClass.RETRYABLE),
    ],
)
def test_an_exit_code_has_one_class(code, kind):
    outcome = read(child(ended(code, wire(SAID_NO), "Error")))
    assert outcome == Failed(kind, "DatasetMissing", "no such dataset", code, NOW, typed=True)


def test_a_failure_without_a_word_of_its_own_keeps_the_kubelets():
    outcome = read(child(ended(1, "", "Error")))
    assert outcome == Failed(ExitClass.PERMANENT, "Error", "exit code 1", 1, NOW)
    other = wire(SAID_NO.model_copy(update={"input_hash": digest_of(b"other")}))
    assert read(child(ended(1, other, ""))) == outcome


def test_a_stage_that_could_not_read_its_input_is_heard_all_the_same():
    blind = wire(SAID_NO.model_copy(update={"input_hash": UNKNOWN_HASH}))
    assert read(child(ended(64, blind))).reason == "DatasetMissing"
    success = wire(RESULT.model_copy(update={"input_hash": UNKNOWN_HASH}))
    assert read(child(ended(0, success))).reason == "ResultMismatch"


def test_out_of_memory_is_proved_by_the_kubelet_or_by_the_parent_process():
    assert read(child(ended(137, "", "OOMKilled"))).kind is ExitClass.OUT_OF_MEMORY
    told = SAID_NO.model_copy(
        update={"failure": Failure(reason="OutOfMemory", message="worker got signal 9")}
    )
    assert read(child(ended(70, wire(told), "Error"))).kind is ExitClass.OUT_OF_MEMORY
    assert read(child(ended(137, "", "OOMKilled", disrupted=True))).kind is ExitClass.OUT_OF_MEMORY


def test_a_disruption_is_not_the_pods_fault():
    assert read(child(ended(143, "", "Error", disrupted=True))).kind is ExitClass.DISRUPTION
    assert read(child(pod(phase="Running", disrupted=True))).kind is ExitClass.DISRUPTION
    assert read(child(pod(phase="Failed"))).kind is ExitClass.DISRUPTION
    assert "node ?" in read(child(pod(phase="Failed"))).message
    drained = child(failed=True, failed_reason="PodFailurePolicy", failed_message="node drained")
    assert read(drained).kind is ExitClass.DISRUPTION


def test_a_result_that_was_given_before_the_disruption_counts():
    assert isinstance(read(child(ended(0, wire(RESULT), disrupted=True))), Succeeded)


@pytest.mark.parametrize(
    "seen",
    [
        child(lost=True),
        child(complete=True),
        child(failed=True, failed_reason="BackoffLimitExceeded"),
        child(ended(143), deleting=True),
    ],
)
def test_a_child_whose_result_can_no_longer_be_read_is_lost(seen):
    assert read(seen).kind is ExitClass.CHILD_LOST


@pytest.mark.parametrize(
    ("waiting", "why", "words"),
    [
        (pod(scheduled=False, unschedulable_message="0/1 nodes"), "Unschedulable", "0/1 nodes"),
        (pod(scheduled=False), "Unschedulable", "no node"),
        (pod(waiting_reason="ImagePullBackOff", waiting_message="no image"), "ImagePullBackOff", "no image"),
        (pod(), "ContainerCreating", ""),
    ],
)
def test_a_pending_pod_says_what_it_waits_for(waiting, why, words):
    outcome = read(child(waiting))
    assert isinstance(outcome, Going)
    assert (outcome.started, outcome.why, outcome.since) == (False, why, NOW)
    assert words in outcome.message


def test_a_job_without_a_pod_waits_for_it_or_for_its_queue():
    assert read(child()) == Going(False, "PodMissing", "has no pod yet", NOW)
    assert read(child(), queued=True) == Going(False, "Queued", "waits in its queue")


def test_a_running_pod_goes_on():
    assert read(child(pod(phase="Running"))) == Going(started=True)


def test_only_the_jobs_own_newest_pod_is_read():
    foreign = ended(0, wire(RESULT), owner_uid="somebody else")
    assert isinstance(read(child(foreign)), Going)
    old = ended(75, created=NOW - timedelta(hours=1))
    new = ended(0, wire(RESULT), name="q")
    assert isinstance(read(child(old, new)), Succeeded)
    assert isinstance(read(child(replace(new, created=None), old)), Succeeded)


@given(st.text(max_size=5000), st.integers(0, 255), st.booleans(), st.text(max_size=20))
def test_nothing_that_a_container_says_can_break_the_reading(message, code, disrupted, reason):
    outcome = read(child(ended(code, message, reason, disrupted=disrupted)))
    assert isinstance(outcome, Failed)
    assert len(outcome.message) <= 512


def test_a_probes_end_is_read_as_a_result_or_a_reason():
    facts = ProbeFacts(passes=1, failures=0, subjects=())
    told = StageResult(input_hash=HASH, facts=facts)
    assert read_result(child(pod(phase="Running"))) is None
    good = read_result(child(ended(0, wire(told))))
    assert good is not None
    assert good.result == told
    bad = read_result(child(ended(1, "", "Error")))
    assert bad is not None
    assert (bad.result, bad.reason) == (None, "Error")


LATER = NOW + timedelta(seconds=30)


def running(rank):
    return pod(name=f"p{rank}", uid=f"u{rank}", rank=rank, phase="Running")


def over(rank, code, message="", at=NOW, **fields):
    terminated = Terminated(code, "Error" if code else "", message, at)
    return pod(name=f"p{rank}", uid=f"u{rank}", rank=rank, phase="Failed", terminated=terminated, **fields)


@pytest.mark.parametrize("others", [(running(1),), (over(1, 0),), (over(1, 143),), ()])
def test_of_pods_that_train_together_the_first_ones_result_counts(others):
    assert read(child(over(0, 0, wire(RESULT)), *others)) == Succeeded(RESULT, NOW)


def test_a_rank_that_did_its_part_waits_for_the_first_one():
    assert read(child(running(0), over(1, 0))) == Going(started=True)


@pytest.mark.parametrize(
    ("pods", "kind", "code"),
    [
        ((over(0, 143, at=LATER), over(1, 137)), ExitClass.RETRYABLE, 137),
        ((over(0, 75, at=LATER), over(1, 143)), ExitClass.RETRYABLE, 75),
        ((over(0, 75, at=LATER), over(1, 65)), ExitClass.PERMANENT, 65),
        ((over(0, 143), over(1, 143, disrupted=True)), ExitClass.RETRYABLE, 143),
        ((over(0, 143), pod(name="p1", rank=1, phase="Failed")), ExitClass.DISRUPTION, None),
        ((over(0, 0, "nothing"), over(1, 0)), ExitClass.RETRYABLE, 0),
    ],
)
def test_who_failed_first_tells_why_all_of_them_did(pods, kind, code):
    outcome = read(child(*pods))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.exit_code) == (kind, code)


def test_a_failure_is_told_once_the_others_have_ended_too():
    assert read(child(over(1, 137), running(0))) == Going(started=True)
    assert isinstance(read(child(over(1, 137), pod(rank=0, phase="Pending"))), Failed)


def test_all_wait_for_the_one_that_has_no_node():
    homeless = pod(name="p1", rank=1, scheduled=False, unschedulable_message="no node is large enough")
    outcome = read(child(running(0), homeless))
    assert isinstance(outcome, Going)
    assert (outcome.started, outcome.why) == (False, "Unschedulable")


def test_a_first_pod_that_is_gone_with_its_result_is_lost():
    outcome = read(child(over(1, 0), complete=True))
    assert isinstance(outcome, Failed)
    assert outcome.kind is ExitClass.CHILD_LOST


def test_a_pod_that_fetches_has_started():
    assert read(child(pod(started=NOW))) == Going(started=True)
