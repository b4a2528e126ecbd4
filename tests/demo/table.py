"""The table at the end of the demo: what was promised beside what was measured.

Owns the reading of a finished CompressionJob's status for a person.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.prediction import Live

MARKS = {"Pass": "[green]✔ Pass[/]", "Fail": "[red]✘ Fail[/]", "Inconclusive": "[yellow]? Inconclusive[/]"}


class Narrator:
    """Says each stage once."""

    def __init__(self, console: Console) -> None:
        self._console, self._last, self._begun = console, "", time.monotonic()

    def __call__(self, job: Mapping[str, Any]) -> None:
        """Look at the job again."""
        stage = job.get("status", {}).get("stage", "")
        if stage and stage != self._last:
            self._last = stage
            self._console.print(f"[dim]{time.monotonic() - self._begun:6.1f} s[/]  {stage}")


def show(console: Console, job: Mapping[str, Any], deployment: Mapping[str, Any], live: Live | None) -> None:
    """Print the outcome of a finished job."""
    status = job["status"]
    console.print(
        Panel(
            Group(_measurements(status), _gates(status), _release(status, deployment, live)),
            title=f"[bold]{job['spec']['model']['name']} {job['spec']['model'].get('version', '')}[/]",
            expand=False,
        )
    )


def _measurements(status: Mapping[str, Any]) -> Table:
    selected = status.get("selected", {})
    candidate = next(
        (c for c in status["candidates"] if c["step"] == selected.get("step")), status["candidates"][-1]
    )
    result = candidate["results"][0]
    base = result.get("baseline", {})
    table = Table("", "FP32", f"INT8 ({candidate['step']})", "", title="measured on the runtime that serves")
    for metric in result["metrics"]:
        before: Mapping[str, Any] = next(
            (m for m in base.get("metrics", ()) if m["name"] == metric["name"]), {}
        )
        table.add_row(metric["name"], _interval(before), _interval(metric), f"{result['samples']} images")
    sizes = (base.get("bytes"), result["bytes"])
    if all(sizes):
        table.add_row("model file", _kib(sizes[0]), _kib(sizes[1]), f"{sizes[0] / sizes[1]:.2f}x smaller")
    for percentile in ("p50", "p95"):
        table.add_row(
            f"latency {percentile}",
            base.get("latency", {}).get(percentile, ""),
            result.get("latency", {}).get(percentile, ""),
            result.get("node", {}).get("cpuModel", "") if percentile == "p50" else "",
        )
    table.add_row("agreement", "", result.get("agreement", ""), "with the fake-quantised model")
    return table


def _interval(metric: Mapping[str, Any]) -> str:
    if not metric:
        return ""
    if metric.get("low") and metric.get("high"):
        return f"{metric['value']}  [{metric['low']}, {metric['high']}]"
    return str(metric["value"])


def _kib(size: int) -> str:
    return f"{size / 1024:,.1f} KiB"


def _gates(status: Mapping[str, Any]) -> Table:
    table = Table("gate", "observed", "required", "verdict", title="gates")
    for gate in status.get("gates", ()):
        mark = MARKS.get(gate["verdict"], gate["verdict"])
        table.add_row(
            gate["name"],
            gate.get("observed", ""),
            gate.get("required", ""),
            mark + (" (dry run)" if gate.get("dryRun") else ""),
        )
    return table


def _release(status: Mapping[str, Any], deployment: Mapping[str, Any], live: Live | None) -> Table:
    image, scan = status.get("image", {}), status.get("scan", {})
    counts = scan.get("counts", {})
    table = Table(show_header=False, title="release")
    table.add_row("image", f"{image.get('repository', '')}:{image.get('tag', '')}")
    table.add_row("digest", image.get("manifestDigest", ""))
    table.add_row(
        "scan",
        f"{counts.get('critical', 0)} critical, {counts.get('high', 0)} high, "
        f"{counts.get('medium', 0)} medium, {counts.get('low', 0)} low "
        f"({scan.get('scanner', '')}, {scan.get('os', '')})",
    )
    table.add_row("ModelVersion", status.get("modelVersionRef", {}).get("name", ""))
    revision = deployment["metadata"]["annotations"].get("deployment.kubernetes.io/revision", "")
    table.add_row(
        "Deployment",
        f"{deployment['metadata']['name']}, revision {revision}, "
        f"{deployment['status'].get('readyReplicas', 0)} pods ready",
    )
    if live is not None:
        table.add_row(
            "live prediction",
            Text(
                f"first sample is class {live.first}; {live.agreement:.0%} of {live.samples} golden answers, "
                f"largest difference {live.largest_difference:.2g}"
            ),
        )
        table.add_row("served model", live.artifact_digest)
    return table
