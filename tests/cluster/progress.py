"""Named steps run in parallel as soon as what they wait for is done, with what, how far and how long shown.

Owns: the order and the display. Must not know what a step does.
"""

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

_HEARTBEAT_SECONDS = 20.0


class Report(Protocol):
    """How a running step says how far it is."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None:
        """Say what is being done now; `total` 0 means that the end is not known."""


@dataclass(frozen=True)
class Step:
    """One piece of work: `action` returns a remark for the display, `after` names steps to wait for."""

    name: str
    action: Callable[[Report], str]
    after: tuple[str, ...] = ()


class Display(Protocol):
    """Where the progress is shown; all of it may be called from any thread."""

    def started(self, name: str) -> None:
        """A step began."""

    def advanced(self, name: str, what: str, done: int, total: int) -> None:
        """A step says how far it is."""

    def finished(self, name: str, remark: str, failed: bool) -> None:
        """A step ended."""


def run(steps: Sequence[Step], display: Display) -> None:
    """Run all steps; after a failure no further one starts, and the first error is raised."""
    waiting = {step.name: step for step in steps}
    unknown = {name for step in steps for name in step.after} - set(waiting)
    if unknown:
        raise ValueError(f"steps wait for unknown steps: {sorted(unknown)}")
    done: set[str] = set()
    running: dict[Future[None], str] = {}
    error: BaseException | None = None
    pool = ThreadPoolExecutor(max_workers=max(1, len(steps)))
    try:
        while waiting or running:
            ready = [s for s in waiting.values() if done.issuperset(s.after)] if error is None else []
            for step in ready:
                running[pool.submit(_perform, step, display)] = waiting.pop(step.name).name
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name = running.pop(future)
                error = error or future.exception()
                done.add(name)
    finally:
        # Nothing runs any more but after an interrupt, which nobody wants to wait after.
        pool.shutdown(wait=False)
    if error is not None:
        raise error
    if waiting:
        raise ValueError(f"steps wait for each other: {sorted(waiting)}")


def _perform(step: Step, display: Display) -> None:
    display.started(step.name)
    try:
        remark = step.action(lambda what, done=0, total=0: display.advanced(step.name, what, done, total))
    except BaseException:
        display.finished(step.name, "failed", failed=True)
        raise
    display.finished(step.name, remark, failed=False)


class Lines:
    """Plain lines for logs: one at the start and the end of a step, and some while it lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._zero = time.monotonic()
        self._began: dict[str, float] = {}
        self._spoke: dict[str, float] = {}

    def started(self, name: str) -> None:
        """Say that it began."""
        self._began[name] = self._spoke[name] = time.monotonic()
        self._say(f"...   {name}")

    def advanced(self, name: str, what: str, done: int, total: int) -> None:
        """Say how far, at most once in twenty seconds."""
        now = time.monotonic()
        if now - self._spoke[name] >= _HEARTBEAT_SECONDS:
            self._spoke[name] = now
            self._say(f"...   {name}: {what}{f' {done}/{total}' if total else ''}")

    def finished(self, name: str, remark: str, failed: bool) -> None:
        """Say that it ended and how long it took."""
        mark = "FAIL" if failed else "ok  "
        self._say(f"{mark}  {name} ({time.monotonic() - self._began[name]:.1f} s) {remark}".rstrip())

    def _say(self, text: str) -> None:
        self._console.print(
            f"[{time.monotonic() - self._zero:6.1f} s] {text}", markup=False, highlight=False, soft_wrap=True
        )


class Bars:
    """A live table for a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def started(self, name: str) -> None:
        """Add a row."""
        self._tasks[name] = self._progress.add_task(name, total=None, what="")

    def advanced(self, name: str, what: str, done: int, total: int) -> None:
        """Move the row's bar."""
        how_far = f" {done:,}/{total:,}" if total else ""
        self._progress.update(
            self._tasks[name], what=escape(what) + how_far, completed=done, total=total or None
        )

    def finished(self, name: str, remark: str, failed: bool) -> None:
        """Fill or mark the row."""
        colour = "red" if failed else "green"
        self._progress.update(
            self._tasks[name], what=f"[{colour}]{escape(remark)}", total=1, completed=int(not failed)
        )
        self._progress.stop_task(self._tasks[name])


def show(steps: Sequence[Step], console: Console | None = None) -> None:
    """Run steps with a live table on a terminal, and with plain lines elsewhere."""
    console = console or Console(file=sys.stdout)
    if not console.is_terminal:
        run(steps, Lines(console))
        return
    columns = (
        SpinnerColumn(finished_text="[green]✔"),
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=22)),
        BarColumn(bar_width=12),
        TimeElapsedColumn(),
        TextColumn("{task.fields[what]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    with Progress(*columns, console=console, expand=True) as progress:
        run(steps, Bars(progress))
