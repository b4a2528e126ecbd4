"""Watch, queue, passes and effects together: a chain of Jobs on a real API server."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from api.engine import toy
from api.engine.conftest import PATIENCE, Operator, Place, eventually
from compression_operator.cluster.admission import REQUIRED

Start = Callable[..., Operator]


def created(place: Place) -> Counter[tuple[str, str]]:
    """(resource, name) of what we created in the namespace, by the API server's own account."""
    found: Counter[tuple[str, str]] = Counter()
    for line in place.cluster.audit_log.read_text().splitlines():
        entry = json.loads(line)
        reference = entry.get("objectRef") or {}
        code = (entry.get("responseStatus") or {}).get("code")
        if (
            entry["verb"] == "create"
            and reference.get("namespace") == place.namespace
            and reference.get("resource") in ("jobs", "events")
            and entry.get("userAgent") == "compression-operator"
            and code == 201
        ):
            found[reference["resource"], reference.get("name", "")] += 1
    return found


def phase(place: Place, chain: str) -> str:
    return place.status(chain).get("phase", "")


def test_a_chain_runs_to_its_end_and_cleans_up(place: Place, start: Start) -> None:
    start()
    place.apply(toy.chain("c", 3))
    for stage in range(3):
        place.end(f"c-{stage}")
    eventually(lambda: phase(place, "c") == "Succeeded")
    assert place.status("c") == {"done": 3, "phase": "Succeeded", "note": ""}
    eventually(lambda: not place.list("jobs"))
    said = [event for event in place.list("events") if event["reason"] == "Succeeded"]
    assert [event["message"] for event in said] == ["all 3 stages are done"]


def test_objects_that_were_there_before_the_operator_are_worked_on(place: Place, start: Start) -> None:
    place.apply(toy.chain("early", 1))
    start()
    place.end("early-0")
    eventually(lambda: phase(place, "early") == "Succeeded")


def test_a_change_of_the_spec_is_seen_while_a_child_runs(place: Place, start: Start) -> None:
    start()
    place.apply(toy.chain("c", 1))
    place.pod_of("c-0")
    place.apply(toy.chain("c", 1, note="changed"))
    eventually(lambda: place.status("c").get("note") == "changed")
    assert phase(place, "c") == "Running"


def test_a_foreign_job_of_the_same_name_is_a_name_conflict(place: Place, start: Start) -> None:
    place.kubectl("create", "job", "c-0", "--image=registry.invalid/none")
    start()
    place.apply(toy.chain("c", 1))
    eventually(lambda: phase(place, "c") == "Failed")
    assert place.status("c")["reason"] == "NameConflict"
    assert place.get("job", "c-0"), "the foreign Job must be left alone"


def test_a_child_deleted_before_its_result_was_read_is_lost(place: Place, start: Start) -> None:
    start()
    place.apply(toy.chain("c", 1))
    place.pod_of("c-0")
    place.kubectl("delete", "job", "c-0")
    eventually(lambda: phase(place, "c") == "Failed")
    assert place.status("c")["reason"] == "ChildLost"


def test_a_failed_child_is_told_by_its_exit_code(place: Place, start: Start) -> None:
    start()
    place.apply(toy.chain("c", 2))
    place.end("c-0", exit_code=65, reason="Error")
    eventually(lambda: phase(place, "c") == "Failed")
    assert place.status("c")["done"] == 0
    warnings = [event for event in place.list("events") if event["type"] == "Warning"]
    assert any(event["reason"] == "Error" for event in warnings)


def test_killed_at_any_moment_it_goes_on_without_repeating_anything(place: Place, start: Start) -> None:
    length = 4
    operator = start()
    place.apply(toy.chain("c", length))
    for stage in range(length):
        # Every second end happens while no operator is there to see it.
        if stage % 2:
            place.end(f"c-{stage}")
            operator.stop(signal.SIGKILL)
            operator = start()
        else:
            place.pod_of(f"c-{stage}")
            operator.stop(signal.SIGKILL)
            place.end(f"c-{stage}")
            operator = start()
    eventually(lambda: phase(place, "c") == "Succeeded")
    operator.stop(signal.SIGKILL)
    operator = start()
    eventually(lambda: not place.list("jobs"))
    counts = created(place)
    assert {name: n for (kind, name), n in counts.items() if kind == "jobs"} == {
        toy.job_name("c", stage): 1 for stage in range(length)
    }
    assert [n for (kind, _), n in counts.items() if kind == "events"] == [1]


def test_two_operators_at_once_do_everything_once(place: Place, start: Start) -> None:
    first, second = start(), start()
    place.apply(toy.chain("c", 3))
    for stage in range(3):
        place.end(f"c-{stage}")
    eventually(lambda: phase(place, "c") == "Succeeded")
    counts = created(place)
    assert set(counts.values()) == {1}
    assert first.process.poll() is None
    assert second.process.poll() is None


def test_a_signal_ends_it_in_order(place: Place, start: Start) -> None:
    operator = start(leader_election="true", lease_namespace=place.namespace)
    place.apply(toy.chain("c", 1))
    place.pod_of("c-0")
    assert operator.stop(signal.SIGTERM) == 0
    assert operator.said("stopped")
    assert place.get("lease", "compression-operator")["spec"]["holderIdentity"] == ""


def test_every_line_about_an_object_carries_its_key(place: Place, start: Start) -> None:
    operator = start()
    place.apply(toy.chain("c", 1))
    place.end("c-0")
    eventually(lambda: phase(place, "c") == "Succeeded")
    lines = eventually(lambda: operator.said("created") + operator.said("event"))
    assert {(line["kind"], line["namespace"], line["name"]) for line in lines} == {
        ("Chain", place.namespace, "c")
    }


def test_without_admission_policies_it_does_not_start_and_says_which_are_missing(
    place: Place, tmp_path: Path
) -> None:
    operator = Operator(place, tmp_path, insecure_no_admission="false")
    assert operator.process.wait(PATIENCE) != 0
    said = operator.output()
    assert all(name in said for name in REQUIRED)
    assert "INSECURE_NO_ADMISSION" in said
