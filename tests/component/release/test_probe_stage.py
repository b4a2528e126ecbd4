"""Probing real serving processes on loopback addresses, as pods of one port each."""

import dataclasses
import signal
import threading
from contextlib import ExitStack

import numpy as np
import pytest

from component.serving import model_folder
from component.serving.server_process import free_port, serving
from compression_contract.base import digest_of
from compression_contract.inputs import ProbeInput, ProbePaths, ProbeSubject, RunRef
from compression_contract.served_model import Tolerance
from compression_jobs.context import StageContext
from compression_jobs.serving_client import Pod
from compression_jobs.stages import probe

GOOD, WRONG_MODEL, WRONG_ANSWERS, BARE, OTHER_GOLDEN, GONE = (f"127.0.0.{number}" for number in range(11, 17))
RUN = RunRef(namespace="prod", name="promotion", uid="u")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return model_folder.write(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def port(folder, tmp_path_factory):
    """Servers of several releases, one at each address, all at one port."""
    root = tmp_path_factory.mktemp("servers")
    number = free_port()
    changed = model_folder.network(seed=7)
    folders = {
        GOOD: folder.path,
        # The same answers under another artifact's name.
        WRONG_MODEL: renamed(root / "wrong-model", digest_of(b"another artifact")),
        # The right name and the right golden file, and another network.
        WRONG_ANSWERS: pretending(root / "wrong-answers", changed, folder),
        BARE: root / "absent",
    }
    with ExitStack() as stack:
        for address, path in folders.items():
            stack.enter_context(
                serving(path, root / f"{address}.log", host=address, port=number, self_check=False)
            )
        yield number


def renamed(path, artifact_digest):
    made = model_folder.write(path)
    document = made.description.model_copy(update={"artifact_digest": artifact_digest})
    (path / "model.json").write_text(document.model_dump_json(by_alias=True))
    return path


def pretending(path, network, original):
    """A folder whose description and golden file are the original's, with other weights."""
    model_folder.write(path, network)
    golden = (original.path / "golden/golden.npz").read_bytes()
    (path / "golden/golden.npz").write_bytes(golden)
    update = {"model_digest": digest_of(network)}
    document = original.description.model_copy(update=update)
    (path / "model.json").write_text(document.model_dump_json(by_alias=True))
    return path


def subjects(*addresses):
    last = [address.rsplit(".", 1)[1] for address in addresses]
    pods = zip(last, addresses, strict=True)
    return tuple(ProbeSubject(name=f"pod-{number}", address=address) for number, address in pods)


def given(folder, port, *addresses, **changes) -> ProbeInput:
    made = ProbeInput(
        model="tiny",
        port=port,
        subjects=subjects(*addresses),
        artifact_digest=folder.description.artifact_digest,
        golden_digest=folder.description.golden_digest,
        tolerance=Tolerance(max_absolute_difference=0.001, top1_agreement=1.0),
    )
    return made.model_copy(update=changes)


def probed(tmp_path, parameters: ProbeInput):
    context = StageContext(parameters, RUN, digest_of(b"input"), tmp_path / "scratch", tmp_path / "none")
    return probe.run(context).facts


def test_a_pod_that_answers_as_evaluated_has_no_reason(folder, port, tmp_path):
    facts = probed(tmp_path, given(folder, port, GOOD))
    (report,) = facts.subjects
    assert (facts.passes, facts.failures, report.reason) == (1, 0, "")
    assert report.top1_agreement == 1.0
    assert report.max_absolute_difference < 0.001
    assert report.latency_p95_ms > 0


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (WRONG_MODEL, "WrongModel"),
        (WRONG_ANSWERS, "WrongAnswers"),
        (BARE, "NotReady"),
    ],
)
def test_a_pod_that_is_not_as_expected_is_named_with_its_reason(folder, port, tmp_path, address, reason):
    facts = probed(tmp_path, given(folder, port, GOOD, address))
    assert [report.reason for report in facts.subjects] == ["", reason]
    assert facts.failures == 1


def test_a_pod_that_stays_out_of_reach_is_named_after_the_allowed_errors(folder, port, tmp_path):
    waits = []
    asked = given(folder, port, GOOD, GONE, error_limit=2, interval_seconds=60)
    facts = probe.Probe(asked, tmp_path, sleep=waits.append).run()
    assert [report.reason for report in facts.subjects] == ["", "Unreachable"]
    assert (facts.passes, facts.failures, facts.errors) == (3, 0, 3)
    assert waits == [probe.RETRY_SECONDS] * 2


def test_a_pod_that_was_out_of_reach_for_a_moment_is_as_good_as_any(folder, tmp_path):
    port = free_port()
    with ExitStack() as stack:

        def comes_back(_seconds):
            stack.enter_context(serving(folder.path, tmp_path / "log", host=GOOD, port=port))

        facts = probe.Probe(given(folder, port, GOOD), tmp_path, sleep=comes_back).run()
    assert (facts.passes, facts.failures, facts.errors) == (2, 0, 1)
    assert facts.subjects[0].reason == ""
    assert facts.subjects[0].top1_agreement == 1.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"golden_digest": digest_of(b"other")}, "WrongModel"),
        ({"max_latency_p95_ms": 1e-6}, "TooSlow"),
        ({"paths": ProbePaths(golden="/ping")}, "GoldenMismatch"),
        ({"paths": ProbePaths(predict="/v2/models/none/infer")}, "WrongAnswers"),
        ({"paths": ProbePaths(metadata="/metrics")}, "WrongModel"),
    ],
)
def test_what_is_expected_of_a_pod_decides_its_reason(folder, port, tmp_path, change, reason):
    facts = probed(tmp_path, given(folder, port, GOOD, **change))
    assert facts.subjects[0].reason == reason
    assert facts.subjects[0].message


def test_live_pods_are_compared_and_never_count_as_failures(folder, port, tmp_path):
    facts = probed(tmp_path, given(folder, port, GOOD, live=subjects(WRONG_ANSWERS, GONE)))
    assert facts.failures == 0
    other, gone = facts.live
    assert other.reason == ""
    assert other.max_absolute_difference > 0.001
    assert other.top1_agreement < 1.0
    assert gone.reason == "Unreachable"


def test_passes_go_on_until_the_time_is_over(folder, port, tmp_path):
    class Clock:
        now = 0.0

        def sleep(self, seconds):
            self.now += seconds

    clock = Clock()
    parameters = given(folder, port, GOOD, duration_seconds=1, interval_seconds=0.25)
    facts = probe.Probe(parameters, tmp_path, clock=lambda: clock.now, sleep=clock.sleep).run()
    assert (facts.passes, facts.failures) == (5, 0)


def test_a_pod_that_turns_bad_ends_the_passes_and_stays_in_the_report(folder, tmp_path):
    with serving(folder.path, tmp_path / "log", host=GOOD, port=free_port()) as server:
        parameters = given(
            folder, server.port, GOOD, duration_seconds=600, interval_seconds=0.1, error_limit=0
        )
        ending = threading.Timer(1.0, lambda: server.process.send_signal(signal.SIGKILL))
        ending.start()
        facts = probed(tmp_path, parameters)
    assert facts.errors == 1  # a second one would mean that it went on
    assert facts.subjects[0].reason == "Unreachable"


def test_json_and_binary_tensors_get_the_same_answers(folder, port):
    with Pod(GOOD, port, "tiny", ProbePaths()) as pod:
        metadata = pod.metadata()
        assert metadata.binary
        binary, _ = pod.predict(metadata, folder.inputs)
        plain, _ = pod.predict(dataclasses.replace(metadata, binary=False), folder.inputs)
    np.testing.assert_allclose(binary, plain, atol=1e-6)
    np.testing.assert_allclose(binary, folder.outputs, atol=1e-4)


def test_a_model_of_token_ids_is_asked_with_whole_numbers(tmp_path):
    words = model_folder.write_words(tmp_path)
    with serving(words.path, tmp_path / "log", host=GOOD, port=free_port()) as server:
        facts = probed(tmp_path / "probe", given(words, server.port, GOOD))
        with Pod(GOOD, server.port, "tiny", ProbePaths()) as pod:
            plain, _ = pod.predict(dataclasses.replace(pod.metadata(), binary=False), words.inputs)
    assert facts.subjects[0].reason == ""
    assert facts.subjects[0].top1_agreement == 1.0
    np.testing.assert_allclose(plain, words.outputs, atol=1e-6)
