"""Prometheus metrics: what is counted, under which names.

Owns names, labels and buckets. Labels come from small fixed sets, never from names of objects.
Source of the naming: Prometheus, "Metric and label naming".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from compression_operator.cluster.resources import ResourceType
from compression_operator.engine.controller import Key

NAMESPACE: Final = "compression_operator"
_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STAGE: Final = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 43200, 86400)


class Metrics:
    """All metrics of the process, in one registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        # A series more for each counter, which tells only when this process first counted.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types for it
        self.registry = registry or CollectorRegistry()
        shared: dict[str, Any] = {"namespace": NAMESPACE, "registry": self.registry}
        self.reconcile_seconds = Histogram(
            "reconcile_duration_seconds",
            "Time of one pass over an object.",
            ["kind"],
            buckets=_FAST,
            **shared,
        )
        self.reconciles = Counter(
            "reconciles", "Passes by how they ended: settled, gone, error.", ["kind", "outcome"], **shared
        )
        self.errors = Counter("reconcile_errors", "Failed passes by error.", ["kind", "error"], **shared)
        self.queue_depth = Gauge("queue_depth", "Objects that wait for a worker.", **shared)
        self.deadlines = Gauge("queue_deadlines", "Objects that wait for a moment.", **shared)
        self.queue_seconds = Histogram(
            "queue_wait_seconds", "How long an object waited for a worker.", buckets=_FAST, **shared
        )
        self.api_calls = Counter(
            "api_requests",
            "Calls to the API server; code 0: no answer.",
            ["verb", "resource", "code"],
            **shared,
        )
        self.api_seconds = Histogram(
            "api_request_duration_seconds", "Time of one call.", ["verb", "resource"], buckets=_FAST, **shared
        )
        self.watch_events = Counter(
            "watch_events", "Events that the watches delivered.", ["resource"], **shared
        )
        self.transitions = Counter(
            "condition_transitions", "Conditions that changed.", ["kind", "type", "status"], **shared
        )
        self.verdicts = Counter("gate_verdicts", "Verdicts of gates.", ["type", "verdict"], **shared)
        self.stage_seconds = Histogram(
            "stage_duration_seconds",
            "Time from the start of a stage to its recorded end, repetitions included.",
            ["stage", "state"],
            buckets=_STAGE,
            **shared,
        )
        self.leader = Gauge("leader", "1 while this process may write.", **shared)

    # Listener of the engine

    def passed(self, key: Key, seconds: float, outcome: str) -> None:
        """See `Listener.passed`."""
        self.reconcile_seconds.labels(key.kind).observe(seconds)
        self.reconciles.labels(key.kind, outcome).inc()

    def status_written(self, key: Key, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """See `Listener.status_written`."""
        for kind, status in changed_conditions(before, after):
            self.transitions.labels(key.kind, kind, status).inc()
        for kind, verdict in new_verdicts(before, after):
            self.verdicts.labels(kind, verdict).inc()
        for stage, state, seconds in ended_stages(before, after):
            self.stage_seconds.labels(stage, state).observe(seconds)

    def failed(self, key: Key, error: str) -> None:
        """See `Failures.failed`."""
        self.errors.labels(key.kind, error).inc()

    def waited(self, seconds: float) -> None:
        """See `Failures.waited`."""
        self.queue_seconds.observe(seconds)

    def watched(self, resource: str) -> None:
        """A watch delivered an event."""
        self.watch_events.labels(resource).inc()

    def watch_queue(self, depth: Callable[[], int], deadlines: Callable[[], int]) -> None:
        """Read the queue's gauges from these whenever somebody scrapes."""
        self.queue_depth.set_function(depth)
        self.deadlines.set_function(deadlines)

    # Listener of the client

    def called(self, verb: str, resource: ResourceType, code: int, seconds: float) -> None:
        """One call to the API server."""
        self.api_calls.labels(verb, resource.plural, str(code)).inc()
        self.api_seconds.labels(verb, resource.plural).observe(seconds)


def changed_conditions(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(type, status) of each condition that is new or has another status."""
    old = {each.get("type"): each.get("status") for each in before.get("conditions") or ()}
    for each in after.get("conditions") or ():
        if old.get(each["type"]) != each["status"]:
            yield str(each["type"]), str(each["status"])


def new_verdicts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """(type, verdict) of each gate whose verdict is new."""
    old = {each.get("name"): each.get("verdict") for each in before.get("gates") or ()}
    for each in after.get("gates") or ():
        if each.get("verdict") and old.get(each.get("name")) != each["verdict"]:
            yield str(each.get("type") or "Metric"), str(each["verdict"])


def ended_stages(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[tuple[str, str, float]]:
    """(stage, state, seconds) of each piece of work that has ended since.

    The stage is the step's type or the first word of a stage's name, both out of small sets.
    """
    for section in ("steps", "stages"):
        ended = {each.get("name") for each in before.get(section) or () if each.get("completionTime")}
        for each in after.get(section) or ():
            start, end = each.get("startTime"), each.get("completionTime")
            if start and end and each.get("name") not in ended:
                stage = str(each.get("type") or str(each.get("name") or "").split(".")[0]).lower()
                seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
                yield stage, str(each.get("state")), max(seconds, 0.0)
