"""Effects on a real API server: create or adopt, delete, one image, a status as compare-and-swap, Events."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from api.engine import toy
from api.engine.conftest import Place
from compression_contract.keys import ANNOTATION_INPUT_HASH
from compression_operator.cluster.act import FIELD_MANAGER, ClusterEffects
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.client import Client
from compression_operator.cluster.errors import ConflictError, InvalidError
from compression_operator.cluster.projections import deployment_view, identity_of
from compression_operator.cluster.resources import DEPLOYMENT
from compression_operator.core.actions import ApplyImage, Create, Delete, Notice
from compression_operator.core.observed import Identity
from compression_operator.engine.controller import (
    GoneError,
    Key,
    NameTakenError,
    RefusedError,
    StaleError,
)

OLD = "registry.invalid/old@sha256:" + "1" * 64
NEW = "registry.invalid/new@sha256:" + "2" * 64


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def effects(client: Client, cache: Cache) -> ClusterEffects:
    return ClusterEffects(client, cache, lambda: datetime.now(UTC), {toy.CHAIN.kind: toy.CHAIN})


@pytest.fixture
def parent(place: Place) -> Identity:
    # No operator runs in this namespace: nothing else touches it.
    place.apply(toy.chain("c", 1))
    return identity_of(place.get("chain", "c"))


def key(identity: Identity) -> Key:
    return Key(toy.CHAIN.kind, identity.namespace, identity.name)


# Create


async def test_a_created_job_is_known_before_its_event_comes(effects, cache: Cache, parent: Identity) -> None:
    await effects.perform(Create(toy.job(parent, 0)))
    (child,) = cache.children(parent.uid)
    assert (child.name, child.role, child.input_hash) == ("c-0", "train", "hash-0")


async def test_creating_twice_is_creating_once(effects, place: Place, parent: Identity) -> None:
    await effects.perform(Create(toy.job(parent, 0)))
    before = place.get("job", "c-0")["metadata"]["uid"]
    await effects.perform(Create(toy.job(parent, 0)))
    assert place.get("job", "c-0")["metadata"]["uid"] == before


@pytest.mark.parametrize("other", ["owner", "input"])
async def test_a_job_of_another_owner_or_input_is_not_adopted(
    effects, cache: Cache, parent: Identity, other: str
) -> None:
    await effects.perform(Create(toy.job(parent, 0)))
    wanted = toy.job(parent if other == "input" else replace(parent, uid="another"), 0)
    if other == "input":
        wanted["metadata"]["annotations"][ANNOTATION_INPUT_HASH] = "another"
    with pytest.raises(NameTakenError) as caught:
        await effects.perform(Create(wanted))
    assert caught.value.taken == "Job/c-0"
    assert cache.children("another") == ()


async def test_an_invalid_object_is_refused_with_the_servers_words(effects, parent: Identity) -> None:
    wrong = toy.job(parent, 0)
    wrong["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    with pytest.raises(RefusedError, match="restartPolicy") as caught:
        await effects.perform(Create(wrong))
    assert caught.value.reason == "CreateInvalid"


async def test_a_quota_is_a_refusal(effects, place: Place, parent: Identity) -> None:
    async def create_many() -> None:
        # The API server counts a new quota a moment after it was made.
        for stage in range(600):
            await effects.perform(Create(toy.job(parent, stage)))
            await asyncio.sleep(0.1)

    place.kubectl("create", "quota", "none", "--hard=count/jobs.batch=0")
    with pytest.raises(RefusedError, match="quota") as caught:
        await create_many()
    assert caught.value.reason == "CreateForbidden"


async def test_in_a_namespace_that_goes_away_there_is_nothing_left_to_do(
    effects, place: Place, parent: Identity
) -> None:
    place.kubectl("patch", "chain", "c", "--type=merge", "-p", '{"metadata":{"finalizers":["toy/hold"]}}')
    place.kubectl("delete", "namespace", place.namespace, "--wait=false")
    with pytest.raises(GoneError):
        await effects.perform(Create(toy.job(parent, 0)))
    place.kubectl("patch", "chain", "c", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')


# Delete


async def test_only_the_object_that_was_seen_is_deleted(effects, place: Place, parent: Identity) -> None:
    await effects.perform(Create(toy.job(parent, 0)))
    await effects.perform(Delete("batch/v1", "Job", place.namespace, "c-0", "another-uid"))
    uid = place.get("job", "c-0")["metadata"]["uid"]
    await effects.perform(Delete("batch/v1", "Job", place.namespace, "c-0", uid))
    await effects.perform(Delete("batch/v1", "Job", place.namespace, "c-0", uid))
    assert not place.get("job", "c-0") or place.get("job", "c-0")["metadata"]["deletionTimestamp"]


async def test_a_job_we_deleted_is_no_loss(effects, cache: Cache, place: Place, parent: Identity) -> None:
    await effects.perform(Create(toy.job(parent, 0)))
    raw = place.get("job", "c-0")
    await effects.perform(Delete("batch/v1", "Job", place.namespace, "c-0", raw["metadata"]["uid"]))
    cache.drop_job(raw)
    assert cache.children(parent.uid) == ()


# Status


async def test_a_status_is_replaced_whole(effects, place: Place, parent: Identity) -> None:
    first = {"phase": "Running", "intent": {"job": "c-0", "old": True}, "list": [1, 2]}
    assert await effects.write_status(key(parent), parent, {}, first)
    now = identity_of(place.get("chain", "c"))
    second = {"phase": "Done", "intent": {"job": "c-1"}}
    assert await effects.write_status(key(parent), now, first, second)
    assert place.status("c") == second


async def test_a_stale_status_write_changes_nothing(effects, place: Place, parent: Identity) -> None:
    await effects.write_status(key(parent), parent, {}, {"phase": "Running"})
    with pytest.raises(StaleError):
        await effects.write_status(key(parent), parent, {}, {"phase": "Other"})
    assert place.status("c") == {"phase": "Running"}


async def test_a_write_without_effect_says_so(effects, place: Place, parent: Identity) -> None:
    await effects.write_status(key(parent), parent, {}, {"phase": "Running"})
    now = identity_of(place.get("chain", "c"))
    assert not await effects.write_status(key(parent), now, {}, {"phase": "Running"})


async def test_the_status_of_a_deleted_object_is_gone(effects, place: Place, parent: Identity) -> None:
    place.kubectl("delete", "chain", "c")
    with pytest.raises(GoneError):
        await effects.write_status(key(parent), parent, {}, {"phase": "Running"})


async def test_the_written_status_is_what_the_cache_shows(effects, cache: Cache, parent: Identity) -> None:
    await effects.write_status(key(parent), parent, {}, {"phase": "Running"})
    seen = cache.get(key(parent))
    assert seen is not None
    assert seen["status"] == {"phase": "Running"}
    assert seen["metadata"]["resourceVersion"] != parent.resource_version


# Events


async def test_an_event_is_said_once_also_after_a_restart(
    client: Client, effects, place: Place, parent: Identity
) -> None:
    notice = Notice("k", "Happened", "it happened")
    other = ClusterEffects(client, Cache(), lambda: datetime.now(UTC), {toy.CHAIN.kind: toy.CHAIN})
    for speaker in (effects, effects, other):
        await speaker.announce(key(parent), parent, notice)
    await effects.announce(key(parent), parent, Notice("another", "Happened", "again"))
    found = [event for event in place.list("events") if event["involvedObject"].get("uid") == parent.uid]
    assert sorted(event["message"] for event in found) == ["again", "it happened"]
    assert "it happened" in place.kubectl("describe", "chain", "c")


async def test_an_event_that_cannot_be_written_stops_nothing(effects, place: Place, parent: Identity) -> None:
    nowhere = replace(parent, namespace="no-such-namespace")
    await effects.announce(key(nowhere), nowhere, Notice("k", "Happened", "it happened"))


# One image


DEPLOYED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {"name": "server", "image": OLD, "env": [{"name": "A", "value": "1"}]},
                    {"name": "sidecar", "image": OLD},
                ]
            },
        },
    },
}


def apply_image(place: Place, **changes: object) -> ApplyImage:
    meta = place.get("deployment", "web")["metadata"]
    wanted = ApplyImage(
        namespace=place.namespace,
        deployment="web",
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        container="server",
        image=NEW,
        annotations={"example.com/version": "v2", "example.com/promotion": "p"},
    )
    return replace(wanted, **changes)


@pytest.fixture
def web(place: Place) -> Place:
    place.apply(json.dumps(DEPLOYED))
    return place


async def perform_soon(effects: ClusterEffects, place: Place, **changes: object) -> None:
    """Apply; again if the Deployment's controller was just writing its status."""
    for _ in range(50):
        try:
            await effects.perform(apply_image(place, **changes))
        except StaleError:
            continue
        return
    pytest.fail("the Deployment never came to rest")


async def test_one_image_and_two_annotations_change_and_nothing_else(effects, web: Place) -> None:
    web.kubectl("scale", "deployment", "web", "--replicas=5")
    before = web.get("deployment", "web")
    await perform_soon(effects, web, force=True)
    after = _with_managers(web)
    containers = {box["name"]: box for box in after["spec"]["template"]["spec"]["containers"]}
    assert containers["server"]["image"] == NEW
    assert containers["server"]["env"] == [{"name": "A", "value": "1"}]
    assert containers["sidecar"]["image"] == OLD
    assert after["spec"]["replicas"] == 5
    added = after["metadata"]["annotations"].items() - before["metadata"]["annotations"].items()
    assert dict(added).items() >= {"example.com/version": "v2", "example.com/promotion": "p"}.items()
    assert deployment_view(after, "server").image_manager == (FIELD_MANAGER, "Apply")


async def test_without_force_another_managers_field_is_refused(effects, web: Place) -> None:
    assert deployment_view(_with_managers(web), "server").image_manager == (
        "kubectl-client-side-apply",
        "Update",
    )
    with pytest.raises(RefusedError, match="kubectl-client-side-apply") as caught:
        await perform_soon(effects, web)
    assert caught.value.reason == "FieldConflict"
    assert _image(web) == OLD


async def test_our_own_field_needs_no_force(effects, web: Place) -> None:
    await perform_soon(effects, web, force=True)
    await perform_soon(effects, web, image=OLD)
    assert _image(web) == OLD


async def test_a_changed_deployment_is_looked_at_again(effects, web: Place) -> None:
    wanted = apply_image(web, force=True)
    web.kubectl("annotate", "deployment", "web", "somebody=else")
    with pytest.raises(StaleError):
        await effects.perform(wanted)
    assert _image(web) == OLD


async def test_a_deleted_or_recreated_deployment_is_not_touched(effects, web: Place) -> None:
    wanted = apply_image(web, force=True)
    web.kubectl("delete", "deployment", "web")
    with pytest.raises(StaleError):
        await effects.perform(wanted)
    assert not web.get("deployment", "web")
    web.apply(json.dumps(DEPLOYED))
    with pytest.raises(StaleError):
        await effects.perform(wanted)
    assert _image(web) == OLD


@pytest.mark.parametrize("claim", [{"uid": "00000000-0000-0000-0000-000000000000"}, {"resourceVersion": "1"}])
async def test_the_server_itself_refuses_another_uid_and_an_old_version(
    client: Client, web: Place, claim: dict[str, str]
) -> None:
    """What guards the moment between our look and our write, also against creating a Deployment anew."""
    meta = web.get("deployment", "web")["metadata"]
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": web.namespace, "name": "web", "uid": meta["uid"], **claim},
        "spec": {"template": {"spec": {"containers": [{"name": "server", "image": NEW}]}}},
    }
    with pytest.raises((ConflictError, InvalidError)):
        await client.apply(DEPLOYMENT, body, FIELD_MANAGER, force=True)
    assert _image(web) == OLD


async def test_an_unknown_container_is_refused_and_not_added(effects, web: Place) -> None:
    with pytest.raises(RefusedError, match="has no nobody"):
        await perform_soon(effects, web, container="nobody", force=True)
    assert len(web.get("deployment", "web")["spec"]["template"]["spec"]["containers"]) == 2


def _with_managers(place: Place) -> dict:
    return json.loads(place.kubectl("get", "deployment", "web", "-o", "json", "--show-managed-fields"))


def _image(place: Place) -> str:
    containers = place.get("deployment", "web")["spec"]["template"]["spec"]["containers"]
    return next(box["image"] for box in containers if box["name"] == "server")
