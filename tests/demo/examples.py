"""Detection, recognition and speech end to end on the cluster; `python -m demo.examples [NAME…]`.

Owns the order of the examples and the table at the end: each figure beside its bound, and an exit code of 1
where one does not hold.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from cluster.errors import ClusterError
from demo import example, platform, table
from demo.kube import KubeError
from demo.platform import Platform

NAMES = ("pcb-detection", "chinese-ocr", "spoken-digits")
SECONDS = 1800
"""The longest that one job may take."""


@dataclass(frozen=True)
class Outcome:
    """How an example ended."""

    name: str
    job: Mapping[str, Any]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the job is complete and every gate that counts has passed."""
        gates = [gate for gate in self.job["status"].get("gates", ()) if not gate.get("dryRun")]
        complete = example.condition(self.job, "Complete") is not None
        return complete and bool(gates) and all(gate["verdict"] == "Pass" for gate in gates)


def main(arguments: Sequence[str]) -> int:
    """Run examples; 0 if every bound holds."""
    names = list(arguments) or list(NAMES)
    console = Console(highlight=False)
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        console.print(f"[red]error:[/] no example is named {unknown[0]}: choose from {', '.join(NAMES)}")
        return 2
    try:
        ready = platform.ready(console)
        outcomes = [run(ready, console, name) for name in names]
    except (ClusterError, KubeError) as error:
        console.print(f"[red]error:[/] {error}", soft_wrap=True)
        return 1
    console.print(summary(outcomes))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def run(ready: Platform, console: Console, name: str) -> Outcome:
    """One example: its data and teachers where they are not there yet, then its job to the end."""
    console.rule(name)
    example.apply_jobs(ready, console.print, f"{name}-data.yaml")
    begun = time.monotonic()
    text = example.manifest(f"{name}.yaml")
    console.print(ready.kube.apply(text).strip())
    named = yaml.safe_load(text)["metadata"]["name"]
    job = example.until_ended(ready.kube, named, seconds=SECONDS, seen=table.Narrator(console))
    outcome = Outcome(name, job, time.monotonic() - begun)
    failed = example.condition(job, "Failed")
    if failed:
        console.print(f"[red]{failed['reason']}[/]: {failed['message']}")
    return outcome


def summary(outcomes: Sequence[Outcome]) -> Table:
    """Each figure beside its bound, a gate a row, of the candidates that were not chosen too."""
    found = Table("example", "step", "gate", "observed", "required", "verdict", title="examples")
    for outcome in outcomes:
        status = outcome.job["status"]
        chosen = status.get("selected", {}).get("step", "")
        for candidate in status.get("candidates", ()):
            for gate in candidate.get("gates", ()):
                mark = table.MARKS.get(gate["verdict"], gate["verdict"])
                found.add_row(
                    outcome.name,
                    candidate["step"] + (" (selected)" if candidate["step"] == chosen else ""),
                    gate["name"],
                    gate.get("observed", ""),
                    gate.get("required", ""),
                    mark + (" (dry run)" if gate.get("dryRun") else ""),
                )
        verdict = "[green]holds[/]" if outcome.passed else "[red]does not hold[/]"
        found.add_row(outcome.name, "", f"{outcome.seconds:.0f} s", "", "", verdict, end_section=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
