"""The server's Prometheus metrics.

Owns their names and labels; labels have few values, none of them from a client.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "compression_serving_requests", "Answered requests.", ("endpoint", "code"), registry=self.registry
        )
        self._request_seconds = Histogram(
            "compression_serving_request_seconds",
            "Time from a request's head to its answer's end.",
            ("endpoint",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._batch_rows = Histogram(
            "compression_serving_batch_rows",
            "Rows of one call of the model.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=self.registry,
        )
        self._model_seconds = Histogram(
            "compression_serving_model_seconds",
            "Time of one call of the model.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._queue = Gauge("compression_serving_queue_rows", "Rows that wait.", registry=self.registry)
        self._ready = Gauge(
            "compression_serving_ready", "1 when requests are welcome.", registry=self.registry
        )
        self._info = Info("compression_serving_model", "The model that is served.", registry=self.registry)

    def describe(self, name: str, version: str, artifact_digest: str) -> None:
        """Say which model this is."""
        self._info.info({"name": name, "version": version, "artifact_digest": artifact_digest})

    def watch(self, queue_rows: Callable[[], int], ready: Callable[[], bool]) -> None:
        """Read these two whenever the metrics are read."""
        self._queue.set_function(queue_rows)
        self._ready.set_function(ready)

    def answered(self, endpoint: str, code: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(endpoint, str(code)).inc()
        self._request_seconds.labels(endpoint).observe(seconds)

    def called(self, rows: int, seconds: float) -> None:
        """The model was called."""
        self._batch_rows.observe(rows)
        self._model_seconds.observe(seconds)
