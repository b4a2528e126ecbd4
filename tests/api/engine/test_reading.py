"""Reading a real API server: pages, vanished Jobs, pods of ended Jobs, CRDs and policies that are missing."""

from __future__ import annotations

import json

import pytest

from api.engine import toy
from api.engine.conftest import Place, eventually
from compression_contract.keys import LABEL_ROLE
from compression_operator.cluster.admission import LABEL_POLICY, REQUIRED, missing_policies
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.client import Client
from compression_operator.cluster.errors import NotFoundError
from compression_operator.cluster.projections import identity_of, uid_of, version_of
from compression_operator.cluster.reader import Reader
from compression_operator.cluster.resources import CONFIG_MAP, JOB, POD, ResourceType
from compression_operator.cluster.sync import NotInstalledError, Synchroniser, check_kinds
from compression_operator.core.observed import Identity
from compression_operator.engine.controller import Key


@pytest.fixture
def parent(place: Place) -> Identity:
    place.apply(toy.chain("c", 1))
    return identity_of(place.get("chain", "c"))


async def test_pages_together_are_the_whole_list(client: Client, place: Place) -> None:
    for number in range(7):
        place.kubectl("create", "configmap", f"m{number}")
    names = [
        item["metadata"]["name"]
        async for page in client.pages(CONFIG_MAP, place.namespace, size=3)
        for item in page["items"]
    ]
    assert [name for name in names if name.startswith("m")] == [f"m{number}" for number in range(7)]


async def test_metadata_is_enough_to_see_what_vanished(
    client: Client, place: Place, parent: Identity
) -> None:
    for stage in range(2):
        await client.create(JOB, place.namespace, toy.job(parent, stage))
    cache = Cache()
    sync = Synchroniser(client, cache, [place.namespace])
    await sync.fill()
    assert {child.name for child in cache.children(parent.uid)} == {"c-0", "c-1"}
    assert await sync.vanished() == []
    place.kubectl("delete", "job", "c-0")
    assert await sync.vanished() == [Key("Chain", place.namespace, "c")]
    lost = {child.name: child.lost for child in cache.children(parent.uid)}
    assert lost == {"c-0": True, "c-1": False}
    assert await sync.vanished() == []


async def test_a_list_of_metadata_holds_no_specs(client: Client, place: Place, parent: Identity) -> None:
    await client.create(JOB, place.namespace, toy.job(parent, 0))
    pages = [page async for page in client.pages(JOB, place.namespace, LABEL_ROLE, metadata_only=True)]
    (item,) = pages[0]["items"]
    assert "spec" not in item
    assert version_of(pages[0]) >= version_of(item) > 0


async def test_an_ended_job_whose_pod_was_not_seen_is_asked_about(
    client: Client, place: Place, parent: Identity
) -> None:
    await client.create(JOB, place.namespace, toy.job(parent, 0))
    place.end("c-0", message="the result")
    raw = eventually(lambda: _ended(place))
    cache = Cache()
    cache.put_job(raw)
    (blind,) = cache.children(parent.uid)
    assert blind.pods == ()
    (child,) = await Reader(client, cache).children(place.namespace, parent.uid)
    (pod,) = child.pods
    assert pod.terminated is not None
    assert pod.terminated.message == "the result"


async def test_a_pod_that_is_gone_is_not_believed_to_run_for_ever(
    client: Client, place: Place, parent: Identity
) -> None:
    await client.create(JOB, place.namespace, toy.job(parent, 0))
    name = place.pod_of("c-0").removeprefix("pod/")
    cache = Cache()
    cache.put_job(place.get("job", "c-0"))
    cache.put_pod(await client.get(POD, place.namespace, name))
    place.kubectl("delete", "pod", name, "--grace-period=0", "--force")
    raw = eventually(lambda: _ended(place))
    cache.put_job(raw)
    (child,) = await Reader(client, cache).children(place.namespace, parent.uid)
    assert child.failed
    assert all(pod.terminated is not None for pod in child.pods), "only ends may be remembered"


async def test_an_object_is_read_fresh_only_when_asked(
    client: Client, place: Place, parent: Identity
) -> None:
    cache = Cache()
    reader = Reader(client, cache)
    _, fresh = await reader.own(toy.CHAIN, place.namespace, "c")
    assert fresh
    place.apply(toy.chain("c", 5))
    remembered, fresh = await reader.own(toy.CHAIN, place.namespace, "c")
    assert (remembered["spec"]["length"], fresh) == (1, False)
    current, fresh = await reader.own(toy.CHAIN, place.namespace, "c", fresh=True)
    assert (current["spec"]["length"], fresh) == (5, True)
    assert cache.get(Key("Chain", place.namespace, "c")) == current


async def test_a_missing_object_is_none_and_a_missing_kind_an_error(client: Client, place: Place) -> None:
    reader = Reader(client, Cache())
    assert await reader.own(toy.CHAIN, place.namespace, "nobody") == (None, True)
    with pytest.raises(NotFoundError):
        await client.get(toy.CHAIN, place.namespace, "nobody")


async def test_a_missing_crd_is_named(client: Client) -> None:
    await check_kinds(client)
    with pytest.raises(NotInstalledError, match=r"ghosts\.toy\.example\.com"):
        await check_kinds(client, [ResourceType("toy.example.com", "v1", "Ghost", "ghosts")])


async def test_a_policy_counts_only_when_it_is_bound_and_denies(client: Client, place: Place) -> None:
    before = await missing_policies(client)
    chosen = min(REQUIRED)
    if chosen not in before:
        pytest.skip("the policies are installed on this API server already")
    name = f"test-{place.namespace}"
    meta = {"name": name, "labels": {LABEL_POLICY: chosen}}
    api = "admissionregistration.k8s.io/v1"
    policy = {
        "apiVersion": api,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": meta,
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["toy.example.com"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["ghosts"],
                    }
                ]
            },
            "validations": [{"expression": "true"}],
        },
    }
    binding = {
        "apiVersion": api,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": meta,
        "spec": {"policyName": name, "validationActions": ["Audit"]},
    }
    try:
        place.kubectl("create", "-f", "-", stdin=json.dumps(policy))
        assert await missing_policies(client) == before
        place.kubectl("create", "-f", "-", stdin=json.dumps(binding))
        assert await missing_policies(client) == before
        binding["spec"]["validationActions"] = ["Deny"]
        place.kubectl("apply", "-f", "-", stdin=json.dumps(binding))
        assert await missing_policies(client) == before - {chosen}
    finally:
        place.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)


def _ended(place: Place) -> dict:
    raw = place.get("job", "c-0")
    conditions = {each["type"] for each in raw.get("status", {}).get("conditions", ())}
    return raw if conditions & {"Complete", "Failed"} else {}


async def test_uid_and_version_are_those_of_the_object(
    client: Client, place: Place, parent: Identity
) -> None:
    raw = await client.get(toy.CHAIN, place.namespace, "c")
    assert (uid_of(raw), str(version_of(raw))) == (parent.uid, parent.resource_version)
