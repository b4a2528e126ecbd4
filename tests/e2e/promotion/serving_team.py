"""What a serving team does on a real cluster: own a Deployment, ask for promotions, see what became of it.

Owns the manifests of the tests' namespace and the questions that tests ask about them.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.client import Cluster
from compression_contract.keys import API_VERSION, GROUP, LABEL_PROMOTION_UID, LABEL_ROLE, LABEL_STEP
from compression_jobs.registry import DockerConfig, ImageReference, Repository
from demo import example
from demo.kube import Kube
from support import watching
from support.releases import Place, Release

NAMESPACE, MODEL, CONTAINER = "team-b", "tiny", "server"
ENGINEER = "serving-engineer"
OURS = {"compression-tests": "promotion"}
"""On everything that these tests make, so that they can take it away again."""
OWN_ANNOTATIONS = (f"{GROUP}/model-version", f"{GROUP}/promotion-uid")
REVISION = "deployment.kubernetes.io/revision"
_CLEANED = "promotions,servingtargets,modelversions,deployments,services,rolebindings"

Object = dict[str, Any]


@dataclass(frozen=True)
class ServingTeam:
    """The team's namespace, seen by an administrator and by an engineer with the role admin in it."""

    cluster: Cluster
    kube: Kube
    engineer: Kube

    @classmethod
    def of(cls, cluster: Cluster) -> ServingTeam:
        """The team on a cluster; it has nothing yet."""
        kube = Kube(cluster.kubeconfig)
        team = cls(cluster, kube, Kube(cluster.user(ENGINEER)))
        team.clean()
        kube.apply(yaml.safe_dump(_role_binding()))
        return team

    def clean(self) -> None:
        """Delete what these tests made, in an earlier run perhaps."""
        selector = ",".join(f"{key}={value}" for key, value in OURS.items())
        self.kube.run("delete", _CLEANED, f"--namespace={NAMESPACE}", f"--selector={selector}", "--wait")

    def place(self, folder: Path) -> Place:
        """Where the team's releases go: what the runtime and the namespace's Secrets say."""
        runtime = self.kube.get("compressionruntime", "default")["spec"]
        bases = {base["name"]: base["image"] for base in runtime["servingBases"]}
        defaults = runtime["defaults"]
        secret = self.kube.get("secret", defaults["secrets"]["registry"]["name"], NAMESPACE)
        account = DockerConfig.parse(base64.b64decode(secret["data"][".dockerconfigjson"]))
        repository = Repository.parse(f"{defaults['repositoryPrefix']}/{NAMESPACE}/{MODEL}")
        base = ImageReference.parse(bases[defaults["servingBase"]])
        return Place(repository, base, account, self.cluster.authority.read_text(), folder)

    def deploy(self, image: str, name: str = MODEL, **changes: Any) -> None:
        """The example's Deployment, Service and ServingTarget under this team's names."""
        for document in _serving(name, image):
            merged = _merge(document, changes.get(document["kind"], {}))
            if merged:
                self.engineer.apply(yaml.safe_dump(merged))

    def configure(self, spec: Mapping[str, Any], target: str = MODEL) -> None:
        """Change a ServingTarget's spec by a merge patch."""
        patch = json.dumps({"spec": spec})
        self.engineer.run(
            "patch", "servingtarget", target, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}"
        )

    def import_release(self, release: Release) -> None:
        """Create the ModelVersion, for which one needs the verb import."""
        self.kube.run("create", "-f", "-", stdin=json.dumps(release.model_version(NAMESPACE, OURS)))

    def promote(self, release: Release, name: str, target: str = MODEL, **spec: Any) -> str:
        """Ask for a release as a person does; returns the Promotion's name."""
        promotion = {
            "apiVersion": API_VERSION,
            "kind": "Promotion",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": OURS},
            "spec": {
                "targetRef": {"name": target},
                "modelVersionRef": {"namespace": NAMESPACE, "name": release.name},
                "imageDigest": release.digest,
                "requestedBy": {"kind": "User", "user": ENGINEER},
                **spec,
            },
        }
        self.engineer.run("create", "-f", "-", stdin=json.dumps(promotion))
        return name

    def ended(self, promotion: str, seconds: float = 300) -> Object:
        """A Promotion's status once it has ended and its target has taken note."""
        found = self.until_promotion(promotion, lambda status: "completionTime" in status, seconds)
        self.until_target(lambda status: "active" not in status)
        return dict(found["status"])

    def until_promotion(self, name: str, holds: Any, seconds: float = 300) -> Object:
        """A Promotion once something holds for its status."""
        place = (NAMESPACE, name)
        return dict(
            watching.until(self.kube, "promotions", place, lambda it: holds(it.get("status", {})), seconds)
        )

    def until_state(self, promotion: str, state: str, seconds: float = 120) -> None:
        """Wait until a Promotion is in this state; it must not end before."""
        found = self.until_promotion(
            promotion, lambda status: status.get("state") == state or "completionTime" in status, seconds
        )
        assert found["status"]["state"] == state, found["status"]

    def until_target(self, holds: Any, name: str = MODEL, seconds: float = 60) -> Object:
        """A ServingTarget's status once something holds for it."""
        place = (NAMESPACE, name)
        found = watching.until(
            self.kube, "servingtargets", place, lambda it: holds(it.get("status", {})), seconds
        )
        return dict(found["status"])

    def until_only(self, release: Release, seconds: float = 120) -> None:
        """Wait until no pod of another image is left, not even one that finishes what it was asked."""

        def only() -> bool:
            pods = self.kube.get("pods", namespace=NAMESPACE, app=MODEL) or ()
            return all(image_of({"spec": {"template": pod}}) == release.image for pod in pods)

        self.kube.until(f"only pods of {release.name}", only, seconds)

    def abort(self, promotion: str) -> None:
        """Give a promotion up."""
        self.engineer.run(
            "patch", "promotion", promotion, f"--namespace={NAMESPACE}", "--type=merge",
            '--patch={"spec": {"abort": true}}',
        )  # fmt: skip

    def servingtarget(self, name: str = MODEL) -> Object:
        """A ServingTarget."""
        return dict(self.kube.get("servingtarget", name, NAMESPACE))

    def target(self, name: str = MODEL) -> Object:
        """A ServingTarget's status."""
        return dict(self.servingtarget(name)["status"])

    def deployment(self, name: str = MODEL) -> Object:
        """A Deployment."""
        return dict(self.kube.get("deployment", name, NAMESPACE))

    def previews(self) -> list[Object]:
        """Previews that are there and not about to go."""
        found = self.kube.get("deployments", namespace=NAMESPACE, **{LABEL_ROLE: "preview"}) or ()
        return [item for item in found if "deletionTimestamp" not in item["metadata"]]

    def probes(self, promotion: str) -> list[str]:
        """The phases that a Promotion's probe Jobs asked in, sorted."""
        uid = self.kube.get("promotion", promotion, NAMESPACE)["metadata"]["uid"]
        jobs = self.kube.get("jobs", namespace=NAMESPACE, **{LABEL_PROMOTION_UID: uid}) or ()
        return sorted(job["metadata"]["labels"][LABEL_STEP] for job in jobs)

    def url(self) -> str:
        """Where clients inside the cluster ask."""
        service = self.kube.get("service", MODEL, NAMESPACE)
        return f"http://{service['spec']['clusterIP']}:8080/v2/models/{MODEL}/infer"


def image_of(deployment: Mapping[str, Any]) -> str:
    """The image of the serving container."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return str(next(each["image"] for each in containers if each["name"] == CONTAINER))


def written_by_others(deployment: Mapping[str, Any]) -> Object:
    """A Deployment without what a promotion may change in it, and without what every controller changes."""
    rest = copy.deepcopy(dict(deployment))
    del rest["status"]
    for key in ("resourceVersion", "generation", "managedFields"):
        rest["metadata"].pop(key, None)
    for key in (*OWN_ANNOTATIONS, REVISION):
        rest["metadata"].get("annotations", {}).pop(key, None)
    for container in rest["spec"]["template"]["spec"]["containers"]:
        if container["name"] == CONTAINER:
            del container["image"]
    return rest


def untouched(deployment: Mapping[str, Any]) -> Object:
    """All of a Deployment that somebody writes; its status is the cluster's own."""
    metadata = {key: value for key, value in deployment["metadata"].items() if key != "resourceVersion"}
    writers = [item for item in metadata.pop("managedFields", ()) if item.get("subresource") != "status"]
    return {"metadata": metadata, "spec": deployment["spec"], "writers": writers}


def _serving(name: str, image: str) -> list[Object]:
    text = example.manifest("fashion-mnist-serving.yaml", SERVING_IMAGE=image)
    text = text.replace(example.NAMESPACE, NAMESPACE).replace(example.MODEL, name)
    documents = {document["kind"]: document for document in yaml.safe_load_all(text)}
    container = documents["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    container["resources"]["requests"]["cpu"] = "20m"
    target = documents["ServingTarget"]["spec"]
    target["accepts"]["model"] = MODEL
    target["strategy"] = {"type": "Rolling", "progressDeadline": "2m", "settle": "15s"}
    target["verification"] = {"interval": "1s", "maxLatencyFactor": 20}
    for document in documents.values():
        document["metadata"].setdefault("labels", {}).update(OURS)
    return list(documents.values())


def _merge(document: Object, change: Mapping[str, Any] | None) -> Object:
    """A document with a JSON merge patch applied; empty if the patch is None."""
    if change is None:
        return {}
    merged = dict(document)
    for key, value in change.items():
        if isinstance(value, Mapping):
            merged[key] = _merge(merged.get(key, {}), value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _role_binding() -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ENGINEER, "namespace": NAMESPACE, "labels": OURS},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": ENGINEER}],
    }
