"""The whole way of a release on a real API server: job, stages, image, record, promotion, live Deployment.

Pods do not run here: a hand in their place answers as they would. Everything else is real, the operator's
process above all.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.conftest import Server
from api.engine.conftest import REAL, Operator, Place
from api.engine.kubelet import Kubelet
from compression_contract.keys import LABEL_PROMOTABLE, LABEL_ROLE
from compression_operator.cluster.client import Client
from compression_operator.cluster.credentials import Credentials, login
from support.chart import NAMESPACE, RELEASE
from support.manifests import changed, minimal_job, serving_target

Start = Callable[..., Operator]
MODEL = "released"
OLD = "registry.example.com/team-a/fmnist@sha256:" + "0" * 64


@pytest.fixture
def place(server: Server) -> Place:
    """The tenant's namespace of the installed chart, with its rights and policies."""
    return Place(server.cluster, server.namespace)


@pytest.fixture
def account(place: Place, tmp_path: Path) -> Path:
    """A kubeconfig of the operator's own service account: it may what the chart lets it, and no more."""
    config = yaml.safe_load(place.cluster.kubectl("config", "view", "--raw", "--flatten"))
    token = place.cluster.kubectl(f"--namespace={NAMESPACE}", "create", "token", RELEASE).strip()
    for user in config["users"]:
        user["user"] = {"token": token}
    path = tmp_path / "operator.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


class _Reporter(Credentials):
    """The administrator, under a name that may report on pods."""

    def headers(self) -> dict[str, str]:
        return {
            **super().headers(),
            "Impersonate-User": "system:kube-scheduler",
            "Impersonate-Group": "system:masters",
        }


@pytest.fixture
async def kubelet(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setenv("KUBECONFIG", str(place.cluster.kubeconfig))
    async with Client(_Reporter(login())) as client:
        task = asyncio.create_task(Kubelet(client, place.namespace).run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def holds(what: Callable[[], Any], patience: float = 90.0) -> Any:
    async with asyncio.timeout(patience):
        while not (value := await asyncio.to_thread(what)):  # noqa: ASYNC110 - seen on the API server only
            await asyncio.sleep(0.2)
    return value


def conditions(place: Place, kind: str, name: str) -> dict[str, str]:
    status = place.get(kind, name).get("status") or {}
    return {each["type"]: each["status"] for each in status.get("conditions", ())}


def prepare(place: Place) -> None:
    """What a serving team has made beforehand."""
    spec = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "server", "image": OLD}]},
        },
    }
    meta = {"name": MODEL, "labels": {LABEL_PROMOTABLE: "true"}}
    place.apply(json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}))
    target = {
        "metadata.name": MODEL,
        "spec.deploymentRef.name": MODEL,
        "spec.accepts.model": MODEL,
        "spec.autoPromote": True,
        "spec.strategy": {"settle": "1s"},
    }
    place.apply(json.dumps(changed(serving_target(), target)))


def submit(place: Place) -> None:
    """What an author writes."""
    change = {
        "metadata.name": MODEL,
        "spec.model.name": MODEL,
        "spec.teachers": [{"name": "large", "uri": "s3://team-a/teachers/large"}],
        "spec.promotion": {"mode": "Request", "targets": [{"name": MODEL}]},
    }
    place.apply(json.dumps(changed(minimal_job(), change)))


def live_image(place: Place) -> str:
    deployment = place.get("deployment", MODEL)
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def of_run(place: Place, kind: str) -> list[dict]:
    """The objects of this run."""
    uid = place.get("compressionjob", MODEL)["metadata"]["uid"]
    return [item for item in place.list(kind) if uid in json.dumps(item["metadata"])]


def roles(place: Place) -> Counter[str]:
    """How many Jobs of each role the run has made."""
    return Counter(job["metadata"]["labels"][LABEL_ROLE] for job in of_run(place, "jobs"))


@pytest.fixture
def run(place: Place) -> Iterator[None]:
    """Deployment, target and job; away with them afterwards."""
    prepare(place)
    submit(place)
    yield
    for kind in ("compressionjob", "servingtarget", "deployment"):
        place.kubectl("delete", kind, MODEL, "--ignore-not-found", "--wait=false")
    place.kubectl("delete", "modelversions,promotions", "--all", "--wait=false")


@pytest.mark.usefixtures("kubelet", "run")
@pytest.mark.parametrize("kills", [0, 4])
async def test_a_job_ends_as_the_live_image_whether_or_not_the_operator_is_killed(
    place: Place, start: Start, account: Path, kills: int
) -> None:
    settings = {"kubeconfig": account, "insecure_no_admission": "false"}
    operator = await asyncio.to_thread(start, REAL, **settings)
    for _ in range(kills):
        before = len(of_run(place, "jobs"))
        await holds(lambda seen=before: len(of_run(place, "jobs")) > seen or live_image(place) != OLD)
        operator.stop(signal.SIGKILL)
        operator = await asyncio.to_thread(start, REAL, **settings)
    await holds(lambda: conditions(place, "compressionjob", MODEL).get("Complete") == "True")
    await holds(lambda: live_image(place) != OLD)
    (promotion,) = await holds(
        lambda: [p for p in place.list("promotions") if (p.get("status") or {}).get("state") == "Succeeded"]
    )
    (version,) = [v for v in place.list("modelversions") if v["spec"]["model"] == MODEL]
    assert live_image(place).endswith(version["spec"]["image"]["manifestDigest"])
    assert promotion["spec"]["modelVersionRef"]["name"] == version["metadata"]["name"]
    await holds(lambda: "report" in roles(place))
    once = dict.fromkeys(("resolve", "preflight", "evaluate", "package", "scan", "report"), 1)
    assert roles(place) == {**once, "train": 2}
    previews = [d for d in place.list("deployments") if LABEL_ROLE in d["metadata"]["labels"]]
    assert previews == []
    assert not [line for line in operator.log if line["level"] in ("error", "critical")]
    assert not operator.said("refused"), "the chart gives every right that the operator needs"
    assert not operator.said("an Event was not written")
