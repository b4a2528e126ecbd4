"""Deterministic names: short enough, unique enough, and the same each time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compression_contract.base import digest_of
from compression_operator.core import names

DIGEST = digest_of(b"image")
LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
OWNERS = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?\Z")
UIDS = st.uuids().map(str)


@given(OWNERS, UIDS, st.sampled_from(sorted(names.ROLE_SHORT)), st.text(max_size=80))
def test_a_childs_name_is_a_label_with_room_for_its_pods_suffix(owner, uid, role, key):
    name = names.child_job(owner, uid, role, key)
    assert LABEL.match(name)
    assert len(name) <= names.MAX_JOB_NAME
    assert f"-{uid.replace('-', '')[:6]}-{names.ROLE_SHORT[role]}-" in name
    assert name == names.child_job(owner, uid, role, key)


@given(OWNERS, UIDS, UIDS)
def test_a_recreated_owner_never_meets_its_predecessors_children(owner, first, second):
    same = names.child_job(owner, first, "train", "k") == names.child_job(owner, second, "train", "k")
    assert same == (first == second)


def test_what_tells_children_apart_is_in_the_name():
    keys = ("ptq/0", "ptq/1", "qat/0")
    assert len({names.child_job("job", "uid", "train", key) for key in keys}) == 3
    assert names.child_job("job", "uid", "train", "k") != names.child_job("job", "uid", "evaluate", "k")


def test_a_release_is_named_by_its_content():
    assert names.model_version("fmnist", DIGEST) == f"fmnist-{DIGEST[7:19]}"
    assert names.promotion("fmnist", DIGEST) == f"fmnist-{DIGEST[7:17]}-0"
    assert names.promotion("fmnist", DIGEST, 2).endswith("-2")
    assert len(names.promotion("t" * 63, DIGEST)) <= 63


def test_a_previews_name_leaves_room_for_its_pods():
    assert len(names.preview("d" * 63, "3fa9c2d1-0000")) <= 52
    assert LABEL.match(names.preview("fashion-mnist", "3fa9c2d1-0000"))


@pytest.mark.parametrize(
    ("model", "version", "tag"),
    [
        ("fmnist", "1.4.0", f"fmnist-1.4.0-{DIGEST[7:19]}"),
        ("fmnist", "", f"fmnist-{DIGEST[7:19]}"),
        ("fmnist", "1.4.0+build.5", f"fmnist-1.4.0-build.5-{DIGEST[7:19]}"),
    ],
)
def test_a_tag_is_readable_and_unique_by_content(model, version, tag):
    assert names.image_tag(model, version, DIGEST) == tag
    assert re.match(r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", tag)
