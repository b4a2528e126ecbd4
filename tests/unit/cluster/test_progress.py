import io
import threading

import pytest
from rich.console import Console

from cluster import progress
from cluster.progress import Step


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []

    def started(self, name) -> None:
        self.events.append(("started", name))

    def advanced(self, *what) -> None:
        self.events.append(("advanced", *what))

    def finished(self, name, remark, failed) -> None:
        self.events.append(("failed" if failed else "finished", name, remark))


def done(remark: str):
    return lambda _: remark


def test_a_step_waits_for_those_before_it() -> None:
    display = Recorder()
    progress.run([Step("b", done("2"), after=("a",)), Step("a", done("1"))], display)
    assert display.events == [
        ("started", "a"),
        ("finished", "a", "1"),
        ("started", "b"),
        ("finished", "b", "2"),
    ]


def test_steps_that_do_not_wait_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=30)

    def meet(_) -> str:
        return f"party {both.wait()}"

    display = Recorder()
    progress.run([Step("a", meet), Step("b", meet)], display)
    assert [event for event, *_ in display.events] == ["started", "started", "finished", "finished"]


def test_after_a_failure_nothing_starts_but_what_runs_may_end() -> None:
    display = Recorder()
    failed = threading.Event()

    def fail(report):
        failed.set()
        raise OSError("broken")

    def wait(report):
        assert failed.wait(30)
        return "ended"

    with pytest.raises(OSError, match="broken"):
        progress.run([Step("a", fail), Step("b", wait), Step("c", done(""), after=("a",))], display)
    assert ("finished", "b", "ended") in display.events
    assert ("started", "c") not in display.events


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ([Step("a", done(""), after=("x",))], "unknown"),
        ([Step("a", done(""), after=("b",)), Step("b", done(""), after=("a",))], "each other"),
    ],
)
def test_impossible_orders_are_refused(steps, complaint) -> None:
    with pytest.raises(ValueError, match=complaint):
        progress.run(steps, Recorder())


@pytest.mark.parametrize("terminal", [True, False])
def test_both_displays_say_what_ended_how(terminal) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100)

    def work(report):
        report("half", 1, 2)
        return "well done"

    progress.show([Step("building", work)], console)
    assert "building" in output.getvalue()
    assert "well done" in output.getvalue()
    assert ("\x1b[" in output.getvalue()) == terminal
