"""Settings, metrics and logs: what goes in by the environment and comes out for machines."""

from __future__ import annotations

import json
import logging

import aiohttp
import pytest
import structlog
from prometheus_client import generate_latest
from pydantic import ValidationError

from compression_operator.engine.controller import Key
from compression_operator.settings import Settings
from compression_operator.telemetry import logs
from compression_operator.telemetry.health import HealthServer, Readiness
from compression_operator.telemetry.metrics import (
    Metrics,
    changed_conditions,
    ended_stages,
    new_verdicts,
)

KEY = Key("CompressionJob", "ns", "a")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRESSION_OPERATOR_NAMESPACES", " team-a, team-b ,")
    monkeypatch.setenv("COMPRESSION_OPERATOR_WORKERS", "3")
    monkeypatch.setenv("COMPRESSION_OPERATOR_LOG_LEVEL", "debug")
    settings = Settings()
    assert settings.served == ("team-a", "team-b")
    assert (settings.workers, settings.log_level) == (3, "DEBUG")
    with pytest.raises(ValidationError):
        settings.workers = 4  # type: ignore[misc]


def test_no_namespaces_means_all_and_admission_is_demanded() -> None:
    assert Settings().served == ()
    assert Settings().insecure_no_admission is False


@pytest.mark.parametrize(
    ("name", "value"), [("workers", 0), ("log_level", "loud"), ("log_format", "xml"), ("metrics_port", 70000)]
)
def test_a_senseless_setting_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Settings(**{name: value})


def test_a_condition_counts_when_its_status_moves() -> None:
    before = {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "False"}]}
    after = {
        "conditions": [
            {"type": "A", "status": "True", "reason": "Other"},
            {"type": "B", "status": "True"},
            {"type": "C", "status": "Unknown"},
        ]
    }
    assert list(changed_conditions(before, after)) == [("B", "True"), ("C", "Unknown")]


def test_a_verdict_counts_once() -> None:
    before = {"gates": [{"name": "floor", "type": "Metric", "verdict": "Pass"}]}
    after = {"gates": [*before["gates"], {"name": "size", "type": "Size", "verdict": "Fail"}]}
    assert list(new_verdicts(before, after)) == [("Size", "Fail")]
    assert list(new_verdicts(after, after)) == []


def test_a_stage_counts_when_it_has_ended() -> None:
    work = {"name": "evaluate.ptq.ort", "state": "Succeeded", "startTime": "2026-01-01T00:00:00Z"}
    step = {"name": "kd", "type": "Distill", "state": "Failed", "startTime": "2026-01-01T00:00:00Z"}
    before = {"stages": [work], "steps": [step]}
    after = {
        "stages": [{**work, "completionTime": "2026-01-01T00:00:07Z"}],
        "steps": [{**step, "completionTime": "2026-01-01T00:01:00Z"}],
    }
    assert list(ended_stages(before, after)) == [
        ("distill", "Failed", 60.0),
        ("evaluate", "Succeeded", 7.0),
    ]
    assert list(ended_stages(after, after)) == []


def test_metrics_are_exposed_without_names_of_objects() -> None:
    metrics = Metrics()
    metrics.passed(KEY, 0.1, "settled")
    metrics.failed(KEY, "UnavailableError")
    metrics.watch_queue(lambda: 3, lambda: 5)
    metrics.status_written(KEY, {}, {"conditions": [{"type": "Complete", "status": "True"}]})
    text = generate_latest(metrics.registry).decode()
    assert "compression_operator_queue_depth 3.0" in text
    assert 'compression_operator_reconciles_total{kind="CompressionJob",outcome="settled"} 1.0' in text
    labels = 'kind="CompressionJob",status="True",type="Complete"'
    assert f"compression_operator_condition_transitions_total{{{labels}}} 1.0" in text
    assert '"ns"' not in text


async def test_ports_answer_what_the_process_is_doing() -> None:
    readiness, metrics = Readiness(), Metrics()
    settings = Settings(metrics_port=0, liveness_port=0, address="127.0.0.1")
    async with HealthServer(settings, metrics.registry, readiness) as server, aiohttp.ClientSession() as http:
        pages, alive = (f"http://127.0.0.1:{port}" for port in server.ports)

        async def code(url: str) -> int:
            async with http.get(url) as answer:
                return answer.status

        assert await code(f"{pages}/readyz") == 503
        readiness.state = "standby"
        assert await code(f"{pages}/readyz") == 200
        assert await code(f"{alive}/healthz") == 200
        async with http.get(f"{pages}/metrics") as answer:
            assert "compression_operator_queue_depth" in await answer.text()


@pytest.fixture
def restored():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("restored")
def test_every_line_is_json_and_carries_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "INFO")
    with structlog.contextvars.bound_contextvars(kind="K", namespace="ns", name="a"):
        structlog.get_logger("ours").info("created", child="b")
        logging.getLogger("theirs").warning("library %s", "says")
        logging.getLogger("kopf.objects").info("Handler succeeded.")
        try:
            int("why")
        except ValueError:
            structlog.get_logger("ours").exception("failed")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["created", "library says", "failed"]
    assert all((line["kind"], line["namespace"], line["name"]) == ("K", "ns", "a") for line in lines)
    assert "ValueError" in lines[2]["exception"]
