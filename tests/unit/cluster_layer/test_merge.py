from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from compression_operator.cluster.merge import merge_patch

LEAVES = st.one_of(st.booleans(), st.integers(), st.text(max_size=3))
KEYS = st.sampled_from("abcd")
VALUES = st.recursive(
    LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)


def apply(target: Any, patch: Any) -> Any:
    """MergePatch of RFC 7386, section 2, word by word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
def test_the_patch_makes_the_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert apply(before, merge_patch(before, after)) == after


@given(OBJECTS)
def test_nothing_changed_nothing_sent(value: dict[str, Any]) -> None:
    assert merge_patch(value, value) == {}


def test_removed_keys_are_null_also_deep_inside() -> None:
    before = {"stage": {"child": {"job": "x", "uid": "u"}, "done": True}, "gone": 1}
    after = {"stage": {"child": {"job": "y"}, "done": True}}
    assert merge_patch(before, after) == {"gone": None, "stage": {"child": {"job": "y", "uid": None}}}
