"""The Jobs of a run: image, resources, labels and Secrets by role."""

from __future__ import annotations

import pytest

from support.manifests import changed, runtime
from unit.core.compression.scripts import distilled, stored
from unit.core.compression.world import UID, Ending, World, good


def job(world, stage):
    """The first Job of a stage."""
    name = next(name for name, given in world.inputs.items() if given.parameters.stage == stage)
    return world.bodies[name]


def spec(world, stage):
    return job(world, stage)["spec"]["template"]["spec"]


def container(world, stage):
    return spec(world, stage)["containers"][0]


def environment(world, stage):
    return {item["name"]: item["value"] for item in container(world, stage)["env"]}


def offer(**images):
    """A runtime whose images can be told apart."""

    def image(name):
        return f"registry.example.com/platform/{name}@sha256:" + "ab" * 32

    return changed(
        runtime(),
        {
            "spec.runner.image": image("runner"),
            "spec.evaluators.0.image": image("evaluator"),
            "spec.tools.image": image("tools"),
            "spec.servingBases.0.image": image("serving"),
            "spec.trust": {"caBundle": "-----BEGIN CERTIFICATE-----\n"},
        },
    )


@pytest.fixture(scope="module")
def whole():
    return World(distilled(), runtime=offer()).run()


@pytest.mark.parametrize(
    ("stage", "role", "image", "secrets"),
    [
        ("resolve", "resolve", "tools", {"storage-credentials"}),
        ("preflight", "preflight", "runner", {"storage-credentials"}),
        ("distill", "train", "runner", {"storage-credentials"}),
        ("ptq", "train", "runner", {"storage-credentials"}),
        ("evaluate", "evaluate", "evaluator", {"storage-credentials"}),
        ("package", "package", "tools", {"storage-credentials", "registry-credentials"}),
        ("scan", "scan", "tools", {"storage-credentials", "registry-credentials"}),
    ],
)
def test_each_stage_has_its_image_and_only_the_secrets_it_needs(whole, stage, role, image, secrets):
    assert job(whole, stage)["metadata"]["labels"]["compression.modelops.dev/role"] == role
    assert f"/{image}@" in container(whole, stage)["image"]
    assert container(whole, stage)["command"] == ["python3", "-m", "compression_jobs", stage]
    mounted = {volume["name"] for volume in spec(whole, stage)["volumes"] if "secret" in volume}
    assert mounted == secrets


def test_every_pod_is_restricted_bounded_and_owned(whole):
    for body in whole.bodies.values():
        pod = body["spec"]["template"]["spec"]
        (only,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert only["securityContext"]["readOnlyRootFilesystem"] is True
        assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert only["resources"]["limits"]["memory"]
        (owner,) = body["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (UID, True, False)


def test_the_input_names_the_store_and_the_trusted_certificates(whole):
    for given in whole.inputs.values():
        assert given.store.endpoint == "https://s3.example.com"
        assert given.ca_bundle.startswith("-----BEGIN CERTIFICATE-----")
        assert given.run.uid == UID
        stage = given.parameters.stage
        assert given.output == f"s3://team-a/compression/runs/{UID}/{stage}-{given.input_hash[7:19]}"


def test_threads_are_those_of_the_deployed_configuration_or_one(whole):
    assert environment(whole, "evaluate")["OMP_NUM_THREADS"] == "1"
    assert environment(whole, "distill")["OMP_NUM_THREADS"] == "1"


def test_a_role_wins_over_the_default_template_field_by_field():
    templates = {
        "default": {
            "nodeSelector": {"disk": "ssd"},
            "labels": {"team": "a"},
            "annotations": {"note": "x"},
            "imagePullSecrets": [{"name": "mirror"}],
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
        },
        "train": {
            "nodeSelector": {"gpu": "yes"},
            "serviceAccountName": "trainer",
            "shmSize": "1Gi",
            "env": [{"name": "OMP_NUM_THREADS", "value": "7"}, {"name": "EMPTY"}],
        },
    }
    world = World(distilled(spec__podTemplates=templates)).run()
    trained, resolved = spec(world, "distill"), spec(world, "resolve")
    assert trained["nodeSelector"] == {"gpu": "yes"}
    assert resolved["nodeSelector"] == {"disk": "ssd"}
    assert trained["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert (trained["serviceAccountName"], resolved["serviceAccountName"]) == (
        "trainer",
        "compression-runner",
    )
    assert [item["name"] for item in trained["imagePullSecrets"]] == ["mirror"]
    assert {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}} in trained["volumes"]
    assert environment(world, "distill")["OMP_NUM_THREADS"] == "7"
    assert environment(world, "distill")["EMPTY"] == ""
    metadata = job(world, "distill")["spec"]["template"]["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert metadata["annotations"]["note"] == "x"


@pytest.mark.parametrize(
    ("resources", "requests", "limits"),
    [
        ({}, {"cpu": "1", "memory": "2Gi"}, {"cpu": "2", "memory": "4Gi"}),
        ({"limits": {"memory": "1Gi"}}, {"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}),
        ({"requests": {"memory": "8Gi"}}, {"cpu": "1", "memory": "8Gi"}, {"cpu": "2", "memory": "8Gi"}),
        (
            {"requests": {"memory": "8Gi"}, "limits": {"memory": "1Gi"}},
            {"cpu": "1", "memory": "1Gi"},
            {"cpu": "2", "memory": "1Gi"},
        ),
        (
            {"limits": {"nvidia.com/gpu": "1"}},
            {"cpu": "1", "memory": "2Gi"},
            {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"},
        ),
    ],
)
def test_a_request_never_exceeds_its_limit(resources, requests, limits):
    world = World(stored(spec__podTemplates={"train": {"resources": resources}})).run()
    assert container(world, "ptq")["resources"] == {"requests": requests, "limits": limits}


CODE = {"uri": "s3://team-a/code/mine", "digest": "sha256:" + "0c" * 32}
TOGETHER = [
    {"name": "kd", "type": "Distill", "distill": {"replicas": 2}},
    {"name": "cut", "type": "Prune", "from": "kd", "prune": {"ratio": 0.2, "replicas": 3}},
    {"name": "ptq", "type": "PTQ", "from": "cut", "ptq": {}},
    {"name": "qat", "type": "QAT", "from": "cut", "qat": {"replicas": 8}},
]


def test_an_authors_code_runs_where_no_secret_is_mounted():
    world = World(distilled(spec__code=CODE), runtime=offer()).run()
    assert world.holds("Complete"), world.condition("Failed")
    for body in world.bodies.values():
        pod = body["spec"]["template"]["spec"]
        role = body["metadata"]["labels"]["compression.modelops.dev/role"]
        assert ("initContainers" in pod) == (role == "train")
        if role == "train":
            assert "storage-credentials" not in {m["name"] for m in pod["containers"][0]["volumeMounts"]}
            assert all("/tools@" in container["image"] for container in pod["initContainers"])


def test_pods_that_train_together_have_one_service_a_run_that_is_there_before_them():
    pipeline = {"steps": TOGETHER}
    world = World(distilled(spec__pipeline=pipeline), runtime=offer()).run()
    assert world.holds("Complete"), world.condition("Failed")
    services = [item for item in world.made if item.startswith("Service/")]
    assert services == ["Service/ranks-first-3fa9c2"]
    first = next(item for item in world.made if "-trn-" in item)
    assert world.made.index(services[0]) < world.made.index(first)
    counts = {
        body["metadata"]["labels"]["compression.modelops.dev/step"]: body["spec"].get("completions")
        for body in world.bodies.values()
        if body["metadata"]["labels"]["compression.modelops.dev/role"] == "train"
    }
    assert counts == {"kd": 2, "cut": 3, "ptq": None, "qat": 8}


def test_a_training_is_told_how_often_to_store_a_checkpoint_and_nothing_else_is(whole):
    seconds = {given.parameters.stage: given.checkpoint_seconds for given in whole.inputs.values()}
    assert seconds["distill"] == 600
    assert {stage for stage, value in seconds.items() if value} == {"distill", "ptq"}
    often = World(distilled(spec__runPolicy={"checkpoint": {"interval": "30s"}}), runtime=offer()).run()
    told = next(g for g in often.inputs.values() if g.parameters.stage == "distill")
    known = next(g for g in whole.inputs.values() if g.parameters.stage == "distill")
    assert told.checkpoint_seconds == 30
    assert told.input_hash == known.input_hash, "how often changes no result"
    never = World(distilled(spec__runPolicy={"checkpoint": {"enabled": False}}), runtime=offer()).run()
    assert all(given.checkpoint_seconds is None for given in never.inputs.values())


def test_a_training_has_time_to_store_a_checkpoint_when_it_is_asked_to_end(whole):
    grace = "terminationGracePeriodSeconds"
    assert spec(whole, "distill")[grace] > spec(whole, "evaluate")[grace]


def test_a_lost_rank_starts_all_of_them_again():
    seen = []

    def script(key, given):
        seen.append(key.attempt)
        if key.stage == "distill" and key.attempt == 0:
            return Ending(137)
        return good(key, given)

    world = World(distilled(spec__pipeline={"steps": TOGETHER}), runtime=offer(), script=script).run()
    assert world.holds("Complete")
    assert [stage for stage in world.stages() if stage.startswith("distill")] == [
        "distill:kd",
        "distill:kd#1",
    ]
    places = {given.output for given in world.inputs.values() if given.parameters.stage == "distill"}
    assert len(places) == 1, "the second attempt finds the first one's checkpoints"
