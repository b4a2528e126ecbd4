"""Conditions stay stable: the transition time moves with the status alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from compression_operator.core.conditions import Conditions, clip, set_condition

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def at(moment, items=()):
    return Conditions(tuple(items), 3, moment)


def test_a_new_condition_is_added_at_the_end():
    after = at(NOW).set("Accepted", "True", "Valid", "fine").set("Complete", "False", "Running", "")
    assert [item.type for item in after.items] == ["Accepted", "Complete"]
    accepted = after.get("Accepted")
    assert accepted is not None
    assert (accepted.last_transition_time, accepted.observed_generation) == (NOW, 3)


def test_saying_the_same_again_changes_nothing_at_all():
    before = at(NOW).set("Accepted", "True", "Valid", "fine")
    assert at(LATER, before.items).set("Accepted", "True", "Valid", "fine").items == before.items


def test_another_reason_keeps_the_transition_time_and_another_status_moves_it():
    before = at(NOW).set("Accepted", "False", "NotAllowed", "no").items
    reworded = at(LATER, before).set("Accepted", "False", "RuntimeNotFound", "none").get("Accepted")
    turned = at(LATER, before).set("Accepted", "True", "Valid", "fine").get("Accepted")
    assert reworded is not None
    assert turned is not None
    assert reworded.last_transition_time == NOW
    assert turned.last_transition_time == LATER


def test_only_true_is_true():
    conditions = at(NOW).set("A", "True", "R", "").set("B", "False", "R", "").set("C", "Unknown", "R", "")
    assert [conditions.is_true(kind) for kind in "ABCD"] == [True, False, False, False]


def test_messages_are_one_bounded_line_without_control_characters():
    assert clip("a\n\tb\x1b[31mc") == "a b [31mc"
    assert clip("x" * 2000).endswith("…")
    assert len(clip("x" * 2000, 100)) == 100
    (condition,) = set_condition((), at(NOW).set("A", "True", "R", "a\nb").items[0])
    assert condition.message == "a b"
