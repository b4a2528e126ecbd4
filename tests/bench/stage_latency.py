"""How long the operator leaves a cluster idle between two stages, as an independent watcher sees it.

    python -m bench.stage_latency --kubeconfig … --namespace team-a --job NAME

Watches pods and Jobs while a CompressionJob runs, with a clock of its own, and prints for each stage the time
from the event that shows the pod's terminated state to the event that shows the next Job (an upper bound of
the POST: both travel through the same API server), and from one container's end to the next one's start by
the kubelet's clock. Ends when the CompressionJob has ended.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.kube import Kube

GROUP = "compression.modelops.dev"
BOUND_NEXT_JOB, BOUND_NEXT_CONTAINER = 0.3, 5.0


@dataclass
class Sightings:
    """What was seen, by the watcher's clock and by the kubelet's."""

    ended: dict[str, float] = field(default_factory=dict)
    """Job name → when its pod was first seen terminated."""
    made: dict[str, float] = field(default_factory=dict)
    """Job name → when it was first seen."""
    containers: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """Job name → start and end of its container."""
    over: threading.Event = field(default_factory=threading.Event)


def main() -> int:
    """Watch one run and judge it; 0 if both bounds hold."""
    parser = argparse.ArgumentParser(prog="bench.stage_latency", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", default="team-a")
    parser.add_argument("--job", required=True, help="name of the CompressionJob; it may be created later")
    chosen = parser.parse_args()
    seen, kube = Sightings(), Kube(chosen.kubeconfig)
    selector = f"{GROUP}/job={chosen.job}"
    base = f"/namespaces/{chosen.namespace}"
    follow = (
        (f"/api/v1{base}/pods", selector, lambda event: _pod(seen, event)),
        (f"/apis/batch/v1{base}/jobs", selector, lambda event: _job(seen, event)),
        (f"/apis/{GROUP}/v1alpha1{base}/compressionjobs", "", lambda event: _parent(seen, event, chosen.job)),
    )
    for path, labels, handle in follow:
        threading.Thread(target=_follow, args=(kube, path, labels, handle), daemon=True).start()
    seen.over.wait()
    time.sleep(1)
    return _report(seen)


def _follow(kube: Kube, path: str, labels: str, handle: Any) -> None:
    for event in _events(kube, path, labels):
        handle(event)


def _events(kube: Kube, path: str, labels: str) -> Iterator[dict[str, Any]]:
    answer = kube.stream(f"{path}?watch=1&labelSelector={labels}")
    for line in answer.iter_lines(chunk_size=1):
        if line:
            yield json.loads(line)


def _pod(seen: Sightings, event: dict[str, Any]) -> None:
    pod, now = event["object"], time.monotonic()
    owner = next((o["name"] for o in pod["metadata"].get("ownerReferences", ())), "")
    for status in pod.get("status", {}).get("containerStatuses", ()):
        ended = status.get("state", {}).get("terminated")
        if ended and owner not in seen.ended:
            seen.ended[owner] = now
            seen.containers[owner] = (_time(ended["startedAt"]), _time(ended["finishedAt"]))


def _job(seen: Sightings, event: dict[str, Any]) -> None:
    seen.made.setdefault(event["object"]["metadata"]["name"], time.monotonic())


def _parent(seen: Sightings, event: dict[str, Any], name: str) -> None:
    job = event["object"]
    conditions = job.get("status", {}).get("conditions", ())
    over = any(c["type"] in {"Complete", "Failed"} and c["status"] == "True" for c in conditions)
    if job["metadata"]["name"] == name and over:
        seen.over.set()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _report(seen: Sightings) -> int:
    order = sorted(seen.made, key=seen.made.__getitem__)
    table = Table("stage", "terminated seen → next Job seen", "container end → next start")
    waits, gaps = [], []
    for before, after in itertools.pairwise(order):
        if before not in seen.ended or after not in seen.containers:
            continue
        waits.append(seen.made[after] - seen.ended[before])
        gaps.append((seen.containers[after][0] - seen.containers[before][1]).total_seconds())
        table.add_row(after, f"{waits[-1] * 1000:.0f} ms", f"{gaps[-1]:.0f} s")
    console = Console()
    console.print(table)
    if not waits:
        console.print("nothing was measured: did the job make children while this was watching?")
        return 2
    worst, longest = _p95(waits), max(gaps)
    console.print(f"next Job: p95 {worst * 1000:.0f} ms (bound {BOUND_NEXT_JOB * 1000:.0f} ms)")
    console.print(f"next container: longest {longest:.0f} s (bound {BOUND_NEXT_CONTAINER:.0f} s)")
    return int(worst > BOUND_NEXT_JOB or longest > BOUND_NEXT_CONTAINER)


def _p95(values: list[float]) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]


if __name__ == "__main__":
    sys.exit(main())
