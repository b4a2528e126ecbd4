"""The process around every stage: its input, its end, what it leaves behind."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from compression_contract.exitcodes import SIGTERM_CODE, ExitCode
from compression_contract.inputs import ResolveInput, Unresolved
from compression_contract.keys import MAX_INPUT_BYTES
from support import stages
from support.seaweed import SeaweedFS

WANTED = ResolveInput(dataset=Unresolved(name="", uri="s3://team-a/data"))


def _document(endpoint: str | None = "http://127.0.0.1:1") -> bytes:
    return json.dumps(stages.stage_input(WANTED, endpoint, "s3://team-a/out").wire()).encode()


@pytest.mark.parametrize(
    ("data", "code", "reason", "names"),
    [
        (b"{", ExitCode.USAGE, "InputInvalid", "JSON"),
        (b"{}", ExitCode.USAGE, "InputInvalid", "run"),
        (_document().replace(b'"reader"', b'"raeder"'), ExitCode.USAGE, "InputInvalid", "raeder"),
        (b" " * MAX_INPUT_BYTES + b"{}", ExitCode.USAGE, "InputTooLarge", str(MAX_INPUT_BYTES)),
        (_document(None), ExitCode.CONFIG, "StorageMissing", "object store"),
        (_document(), ExitCode.CONFIG, "StorageSecretUnusable", "accessKeyId"),
    ],
    ids=["no JSON", "empty", "unknown field", "too large", "no store", "no secret"],
)
def test_a_wrong_input_or_set_up_ends_with_a_reason(tmp_path: Path, data, code, reason, names):
    ended = stages.run("resolve", tmp_path, data, None)

    assert (ended.code, ended.reason) == (code, reason), ended.log
    assert names in ended.result.failure.message


def test_an_input_for_another_stage_is_refused(tmp_path: Path):
    ended = stages.run("scan", tmp_path, _document(), None)

    assert (ended.code, ended.reason) == (ExitCode.USAGE, "StageMismatch")


def test_a_failure_carries_the_hash_of_an_input_that_is_otherwise_wrong(tmp_path: Path):
    data = _document().replace(b'"reader"', b'"raeder"')

    ended = stages.run("resolve", tmp_path, data, None)

    assert ended.result.input_hash == json.loads(data)["inputHash"]


def test_an_unknown_stage_is_a_usage_error(tmp_path: Path):
    ended = stages.run("compress", tmp_path, _document(), None)

    assert ended.code == ExitCode.USAGE
    assert ended.log.startswith("usage:")


def test_logs_are_json_lines_that_name_stage_and_run(tmp_path: Path):
    ended = stages.run("resolve", tmp_path, _document(), None)

    lines = [json.loads(line) for line in ended.log.splitlines()]
    assert {(line["stage"], line["run"]) for line in lines} == {("resolve", "fmnist-1")}


def test_a_failed_stage_leaves_its_log_and_nothing_that_looks_finished(
    object_store: SeaweedFS, bucket: str, tmp_path: Path
):
    wanted = ResolveInput(dataset=Unresolved(name="", uri=f"{bucket}/nothing"))
    document = stages.stage_input(wanted, object_store.endpoint, f"{bucket}/out")

    ended = stages.run("resolve", tmp_path, document, object_store.writer)

    assert ended.reason == "DatasetNotFound"
    assert object_store.keys(f"{bucket}/out") == ["log.jsonl"]
    assert b"DatasetNotFound" in object_store.get(f"{bucket}/out/log.jsonl")


def test_sigterm_ends_the_process_in_good_order(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        account = stages.Account("key", "secret-that-nobody-checks")
        environment = stages.environment(
            tmp_path, stages.stage_input(WANTED, endpoint, "s3://team-a/out"), account
        )
        process = subprocess.Popen(
            stages.command("resolve"), env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        silent.settimeout(120)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGTERM)
            begin = time.monotonic()
            _, log = process.communicate(timeout=50)
    ended = stages.ended(tmp_path, process.returncode, log)

    assert (ended.code, ended.reason) == (SIGTERM_CODE, "Terminated"), ended.log
    assert time.monotonic() - begin < 50
