"""A small world for promotions: an API server of plain values that plays back what a decision asks for.

It applies statuses and actions as the real one would (compare-and-swap left aside, as one pass sees one
state), and lets a test say what pods do. `interrupted_after` drops the rest of a pass, as a crash would.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from compression_contract.base import digest_of
from compression_contract.keys import ANNOTATION_INPUT, LABEL_ROLE
from compression_contract.results import ProbeFacts, StageResult, SubjectReport
from compression_operator.api.modelversion import ModelVersionSpec
from compression_operator.api.promotion import PromotionSpec, PromotionStatus
from compression_operator.api.servingtarget import ServingTargetSpec, ServingTargetStatus
from compression_operator.core.actions import ApplyImage, Create, Decision, Delete, WriteStatus
from compression_operator.core.observed import ChildJob, DeploymentView, Identity, PodView, Terminated
from compression_operator.core.promotion.decide import decide
from compression_operator.core.promotion.observed import ObservedPromotion, ObservedTarget, ProbeImage

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
OLD = "registry.example.com/team-a/fmnist@" + digest_of(b"old")
REPOSITORY = "registry.example.com/team-a/fmnist"


def version(content: str = "new", **changes: Any) -> ModelVersionSpec:
    """A released model that passes every check, unless changed."""
    raw: dict[str, Any] = {
        "model": "fmnist",
        "version": "1.0.0",
        "image": {"repository": REPOSITORY, "manifestDigest": digest_of(content.encode())},
        "artifact": {
            "manifestDigest": digest_of(b"artifact"),
            "format": "ONNXQDQ",
            "goldenDigest": digest_of(b"golden"),
        },
        "evaluation": {
            "target": "ort",
            "runtime": "onnxruntime",
            "samples": 10000,
            "metrics": [{"name": "top1", "value": "0.86"}],
            "latencyP95": "6.1ms",
        },
        "scan": {"counts": {"critical": 0}, "scannedAt": "2026-11-22T09:00:00Z"},
        "source": {"kind": "CompressionJob"},
    }
    return ModelVersionSpec.model_validate({**raw, **changes})


@dataclass
class World:
    """Everything that a pass can see and change."""

    now: datetime = START
    spec: dict[str, Any] = field(
        default_factory=lambda: {
            "deploymentRef": {"name": "fmnist"},
            "container": "server",
            "accepts": {"model": "fmnist"},
            "autoPromote": True,
            "strategy": {"progressDeadline": "10m", "settle": "60s"},
        }
    )
    status: ServingTargetStatus = field(default_factory=ServingTargetStatus)
    deployment: DeploymentView | None = None
    permitted: bool = True
    probe: ProbeImage | None = field(
        default_factory=lambda: ProbeImage(REPOSITORY + "@" + digest_of(b"tools"))
    )
    promotions: dict[str, ObservedPromotion] = field(default_factory=dict)
    questioned: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The pods that each probe Job was told to question."""
    writes: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Inputs of the probes, latest last."""

    def __post_init__(self) -> None:
        self.deployment = self.deployment or live(OLD)

    # What people do.

    def ask(self, name: str = "fmnist-new", content: str = "new", created: int = 0, **spec: Any) -> World:
        """Create a Promotion of a release; `created` seconds after the start gives its place in the order."""
        raw = {
            "targetRef": {"name": "fmnist"},
            "modelVersionRef": {"namespace": "team-a", "name": name},
            "imageDigest": digest_of(content.encode()),
            "requestedBy": {"kind": "CompressionJob", "name": "job"},
            **spec,
        }
        identity = Identity("team-a", f"p-{name}", f"uid-{name}", 1, "1", START + timedelta(seconds=created))
        self.promotions[name] = ObservedPromotion(
            identity, PromotionSpec.model_validate(raw), PromotionStatus(), version(content)
        )
        return self

    def change(self, name: str = "fmnist-new", **changes: Any) -> World:
        """Change what is seen of a Promotion."""
        self.promotions[name] = replace(self.promotions[name], **changes)
        return self

    def see(self, **changes: Any) -> World:
        """Change what is seen of the live Deployment."""
        assert self.deployment is not None
        self.deployment = replace(self.deployment, **changes)
        return self

    def wait(self, seconds: float) -> World:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        return self

    # What the cluster does.

    def preview_runs(self, name: str = "fmnist-new", **pod: Any) -> World:
        """The preview's pod comes up, or does what `pod` says."""
        item = self.promotions[name]
        assert item.preview is not None
        image = str(item.preview.image("server"))
        ready = pod.get("ready", not pod.get("waiting_reason"))
        view = self._running(image, "preview-1", "10.0.0.9")
        count = int(ready)
        preview = replace(
            item.preview,
            observed_generation=1,
            updated=1,
            total=1,
            available=count,
            ready=count,
            pods=(replace(view, **{"ready": ready, **pod}),),
        )
        return self.change(name, preview=preview)

    def rollout_ends(self, **pod: Any) -> World:
        """All live pods run the template's image, or do what `pod` says."""
        assert self.deployment is not None
        image = str(self.deployment.image("server"))
        ready = pod.get("ready", not pod.get("waiting_reason"))
        view = self._running(image, "live-1", "10.0.0.5")
        pods = tuple(
            replace(view, **{"ready": ready, **pod, "name": f"live-{n}", "uid": f"{n}"})
            for n in range(self.deployment.replicas)
        )
        available = self.deployment.replicas if ready else 0
        return self.see(
            observed_generation=self.deployment.generation,
            updated=self.deployment.replicas,
            total=self.deployment.replicas,
            available=available,
            ready=available,
            pods=pods,
        )

    def _running(self, image: str, name: str, address: str) -> PodView:
        """A pod that was started just now and runs this image."""
        return PodView(
            name=name,
            uid=f"uid-{name}",
            owner_uid="",
            phase="Running",
            address=address,
            images=(image,),
            image_id=image,
            created=self.now,
        )

    def probe_ends(
        self,
        reason: str = "",
        message: str | None = None,
        name: str = "fmnist-new",
        pods: tuple[str, ...] | None = None,
    ) -> World:
        """The newest probe ends as expected, with a reason against `pods` (all), or with a broken message."""
        item = self.promotions[name]
        job = item.probes[-1]
        facts = ProbeFacts(
            passes=1,
            failures=int(bool(reason)),
            subjects=tuple(
                SubjectReport(
                    name=pod, reason=reason if pods is None or pod in pods else "", top1_agreement=1
                )
                for pod in self.questioned[job.name]
            ),
        )
        text = StageResult(input_hash=job.input_hash, facts=facts).model_dump_json(exclude_none=True)
        pod = PodView(
            name=f"{job.name}-x",
            uid="probe-pod",
            owner_uid=job.uid,
            phase="Succeeded",
            terminated=Terminated(0, "Completed", text if message is None else message, self.now),
        )
        return self.change(name, probes=(*item.probes[:-1], replace(job, pods=(pod,))))

    # Passes.

    def settle(self, interrupted_after: int | None = None) -> World:
        """Run passes until nothing changes; a crash may cut the first one short after some writes."""
        for _ in range(20):
            before = len(self.writes)
            self._carry_out(decide(self._observe(), self.now), interrupted_after)
            if interrupted_after is not None:
                return self
            if len(self.writes) == before:
                return self
        raise AssertionError(f"still writing after 20 passes: {self.writes[-6:]}")

    def _observe(self) -> ObservedTarget:
        spec = ServingTargetSpec.model_validate(self.spec)
        identity = Identity("team-a", "fmnist", "target-uid", 1, "1", START)
        promotions = tuple(self.promotions.values())
        if self.status.active is None:
            promotions = tuple(replace(item, preview=None) for item in promotions)
        return ObservedTarget(
            identity,
            spec,
            self.status,
            self.deployment,
            self.permitted,
            promotions,
            self.probe,
        )

    def _carry_out(self, decision: Decision, limit: int | None) -> None:
        effects: list[Any] = [decision.status] if decision.status is not None else []
        effects += list(decision.actions)
        for effect in effects[:limit]:
            self._perform(effect)
        if limit is None:
            self.said += [notice.message for notice in decision.notices]

    def _perform(self, effect: Any) -> None:
        match effect:
            case WriteStatus(name=name, status=status):
                self.writes.append(f"status of {name}")
                key = next(key for key, item in self.promotions.items() if item.identity.name == name)
                self.change(key, status=PromotionStatus.model_validate(status))
            case Create(body={"kind": "Deployment"} as body):
                self._create_preview(body)
            case Create(body={"kind": "Job"} as body):
                self._create_probe(body)
            case ApplyImage(image=image, annotations=annotations):
                self.writes.append(f"image {image}")
                assert self.deployment is not None
                self.see(
                    template=template(image),
                    annotations=dict(annotations),
                    generation=self.deployment.generation + 1,
                    image_manager=("compression.modelops.dev-promoter", "Apply"),
                )
            case Delete(name=name):
                self.writes.append(f"delete {name}")
                for key, item in self.promotions.items():
                    if item.preview is not None and item.preview.name == name:
                        self.change(key, preview=None)
            case _:
                self.writes.append("status of target")
                self.status = ServingTargetStatus.model_validate(effect)

    def _create_preview(self, body: dict[str, Any]) -> None:
        owner = body["metadata"]["ownerReferences"][0]["name"]
        key = next(key for key, item in self.promotions.items() if item.identity.name == owner)
        if self.promotions[key].preview is not None:
            return
        self.writes.append("create preview")
        view = live("", name=body["metadata"]["name"], replicas=1)
        view = replace(
            view,
            template=body["spec"]["template"],
            labels={LABEL_ROLE: "preview"},
            available=0,
            ready=0,
            updated=0,
            total=0,
            pods=(),
            observed_generation=0,
        )
        self.change(key, preview=view)

    def _create_probe(self, body: dict[str, Any]) -> None:
        metadata = body["metadata"]
        owner = metadata["ownerReferences"][0]["name"]
        key = next(key for key, item in self.promotions.items() if item.identity.name == owner)
        item = self.promotions[key]
        if any(job.name == metadata["name"] for job in item.probes):
            return
        self.writes.append("create probe")
        annotations = body["spec"]["template"]["metadata"]["annotations"]
        question = json.loads(annotations[ANNOTATION_INPUT])["parameters"]
        self.asked.append(question)
        self.questioned[metadata["name"]] = tuple(subject["name"] for subject in question["subjects"])
        job = ChildJob(
            name=metadata["name"],
            uid=f"job-{len(item.probes)}",
            owner_uid=item.identity.uid,
            role="probe",
            input_hash=next(
                value for name, value in metadata["annotations"].items() if name.endswith("input-hash")
            ),
            created=self.now,
            labels=metadata["labels"],
        )
        self.change(key, probes=(*item.probes, job))

    # What a test asks.

    def state(self, name: str = "fmnist-new") -> str:
        """Where a Promotion stands."""
        return self.promotions[name].state

    def reason(self, name: str = "fmnist-new") -> str:
        """Why a Promotion failed."""
        failure = self.promotions[name].status.failure
        return failure.reason if failure else ""

    @property
    def image(self) -> str:
        """What the live Deployment is to run."""
        assert self.deployment is not None
        return str(self.deployment.image("server"))


def template(image: str) -> dict[str, Any]:
    """A pod template with a server and a helper beside it."""
    return {
        "metadata": {"labels": {"app": "fmnist"}},
        "spec": {
            "containers": [
                {"name": "server", "image": image, "ports": [{"containerPort": 8080}]},
                {"name": "helper", "image": "registry.example.com/helper:1"},
            ],
            "imagePullSecrets": [{"name": "pull"}],
            "affinity": {"podAntiAffinity": {}},
        },
    }


def live(image: str, name: str = "fmnist", replicas: int = 2) -> DeploymentView:
    """A healthy Deployment made by kubectl."""
    pod = PodView(
        name="old-1",
        uid="old",
        owner_uid="",
        phase="Running",
        address="10.0.0.4",
        ready=True,
        images=(image,),
    )
    return DeploymentView(
        name=name,
        uid=f"uid-{name}",
        resource_version="1",
        generation=1,
        observed_generation=1,
        replicas=replicas,
        updated=replicas,
        available=replicas,
        ready=replicas,
        total=replicas,
        progress_deadline_exceeded=None,
        labels={"compression.modelops.dev/promotable": "true"},
        annotations={},
        selector={"app": "fmnist"},
        template=template(image),
        image_manager=("kubectl-client-side-apply", "Update"),
        pods=(pod,),
    )


def until_shifting(world: World) -> World:
    """From the wish to a written image, everything well."""
    return world.ask().settle().preview_runs().settle().probe_ends().settle()


def until_settling(world: World) -> World:
    """On to a finished rollout that is being watched."""
    return until_shifting(world).rollout_ends().settle()
