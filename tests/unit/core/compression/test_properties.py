"""What holds in every run: nothing is lost by a crash, nothing is asked for twice, nothing is taken back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.core.compression import facts
from unit.core.compression.scripts import distilled, stored
from unit.core.compression.world import Ending, Key, World, good

ENDINGS = st.sampled_from(
    [
        None,
        Ending(75),
        Ending(143, disrupted=True),
        Ending(0, ""),
        Ending(0, '{"schemaVersion":"v1"}'),
        Ending(80),
        Ending(65),
        Ending(137, reason="OOMKilled"),
        Ending(255),
    ]
)
FATES = st.lists(ENDINGS, min_size=0, max_size=12)
MEASURED = st.integers(min_value=7_000, max_value=9_500)
SLOW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PROMOTED = {"mode": "Request", "targets": [{"name": "fmnist"}, {"name": "mirror"}]}


TIMES = {
    "startTime",
    "completionTime",
    "created",
    "lastTransitionTime",
    "time",
    "retryAt",
    "activeSeconds",
    "activeSince",
}


def scripted(fates, measured):
    """Pods end as the list says, in the order in which they run; after it all succeed."""
    left = list(fates)

    def script(key: Key, given_input):
        fate = left.pop(0) if left else None
        if fate is not None:
            return fate
        if key.stage == "evaluate":
            return facts.result_for(given_input, facts.evaluation(measured, discordant=3_000))
        return good(key, given_input)

    return script


def without_times(status):
    """A status without anything that depends on when a pass happened."""
    if isinstance(status, dict):
        return {key: without_times(item) for key, item in status.items() if key not in TIMES}
    return [without_times(item) for item in status] if isinstance(status, list) else status


@SLOW
@given(FATES, MEASURED)
def test_every_run_ends_with_exactly_one_terminal_condition_that_stays(fates, measured):
    world = World(stored(), script=scripted(fates, measured), check_writes=False).run(200)
    assert world.holds("Complete") != world.holds("Failed")
    before = without_times(world.status)["conditions"]
    world.wait(10_000).settle()
    assert without_times(world.status)["conditions"] == before
    if world.holds("Failed"):
        assert world.condition("Complete") == {}
        assert world.holds("Stalled")


CRASHES = st.lists(st.integers(min_value=0, max_value=3), max_size=15)
"""After how many effects of a pass the process dies, pass after pass; then it lives on."""


@SLOW
@given(FATES, MEASURED, CRASHES)
def test_crashes_between_any_two_effects_change_neither_result_nor_counts(fates, measured, crashes):
    manifest = distilled(spec__promotion=PROMOTED)
    calm = World(manifest, script=scripted(fates, measured), check_writes=False).run(200)
    wild = World(manifest, script=scripted(fates, measured), check_writes=False)
    left = list(crashes)
    while not wild.ended:
        decision = wild.decide()
        wild.write(decision)
        if left and decision.actions:
            wild.act(replace(decision, actions=decision.actions[: left.pop()], notices=()))
            continue
        wild.act(decision)
        decision = wild.settle()
        if not wild.ended and not wild.end_pods():
            wild.now = max(wild.now, decision.wake_at)
    wild.settle()
    calm.settle()
    assert wild.made == calm.made
    assert without_times(wild.status) == without_times(calm.status)
    assert wild.model_versions == calm.model_versions
    assert wild.promotions == calm.promotions


@SLOW
@given(FATES, MEASURED)
def test_deciding_again_on_the_result_asks_for_nothing_new(fates, measured):
    world = World(stored(), script=scripted(fates, measured), check_writes=False)
    for _ in range(60):
        decision = world.settle()
        again = world.decide()
        assert again.status is None
        assert again.actions == decision.actions == ()
        if world.ended:
            return
        if not world.end_pods():
            world.now = max(world.now, decision.wake_at)


@SLOW
@given(FATES, MEASURED)
def test_attempts_never_go_down_and_names_never_come_twice(fates, measured):
    world = World(stored(), script=scripted(fates, measured), check_writes=False)
    highest: dict[str, int] = {}
    for _ in range(60):
        decision = world.settle()
        for item in [*world.status.get("steps", []), *world.status.get("stages", [])]:
            total = item["attempts"]["retryable"] + item["attempts"]["infra"]
            assert total >= highest.get(item["name"], 0)
            highest[item["name"]] = total
        if world.ended:
            break
        if not world.end_pods():
            world.now = max(world.now, decision.wake_at)
    assert len(world.made) == len(set(world.made))
    assert all(len(name) <= 57 for name in world.bodies)


@SLOW
@given(MEASURED, st.floats(min_value=0, max_value=1), st.booleans())
def test_nothing_is_released_whose_gates_did_not_all_pass(measured, agreement, stale):
    def script(key, given_input):
        if key.stage == "evaluate":
            told = facts.evaluation(measured, discordant=3_000, agreement=agreement)
            return facts.result_for(given_input, told)
        if key.stage == "scan" and stale:
            return facts.result_for(given_input, facts.scan(age=None))
        return good(key, given_input)

    world = World(stored(), script=script, check_writes=False).run()
    good_enough = measured >= 8_570 and agreement >= 0.95 and not stale
    if world.model_versions:
        assert measured >= 8_500
        assert agreement >= 0.95
        assert not stale
        assert all(gate["verdict"] == "Pass" for gate in world.status["gates"] if not gate["dryRun"])
    assert bool(world.model_versions) or not good_enough
