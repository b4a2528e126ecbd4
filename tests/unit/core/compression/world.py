"""A small API server with a clock: it keeps what decisions write, makes pods and ends them as a test says.

It plays the neighbours of the core, never the core: statuses travel through the schema's model and Jobs
through their manifests, as on a cluster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema

from compression_contract.inputs import StageInput
from compression_contract.keys import (
    ANNOTATION_INPUT,
    ANNOTATION_INPUT_HASH,
    LABEL_ATTEMPT,
    LABEL_ROLE,
    LABEL_STEP,
    LABEL_TARGET,
)
from compression_contract.results import StageResult
from compression_operator.api import CompressionJob, CompressionJobStatus, CompressionRuntime
from compression_operator.api.schema import structural
from compression_operator.core.actions import Create, Decision, Delete, Notice
from compression_operator.core.compression.decide import decide
from compression_operator.core.compression.observed import ObservedCompression, Runtime
from compression_operator.core.observed import ChildJob, Identity, PodView, Terminated
from support.manifests import Manifest, changed, minimal_job, runtime
from unit.core.compression import facts

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
UID = "3fa9c2d1-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Ending:
    """How a pod ends: an exit code with a message, and what the kubelet says beside it."""

    code: int = 0
    message: str = ""
    reason: str = ""
    disrupted: bool = False


@dataclass(frozen=True)
class Key:
    """Which pod: its stage, its step or target where it has one, and its attempt."""

    stage: str
    step: str
    target: str
    attempt: int


Script = Callable[[Key, StageInput], "Ending | StageResult | None"]


def good(_: Key, given: StageInput) -> StageResult:
    """Every stage succeeds."""
    return facts.result_for(given)


@dataclass
class World:
    """One CompressionJob and its surroundings."""

    manifest: Manifest = field(default_factory=minimal_job)
    runtime: Manifest | None = field(default_factory=runtime)
    script: Script = good
    now: datetime = START
    namespace: str = "team-a"
    namespace_labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, ChildJob] = field(default_factory=dict)
    inputs: dict[str, StageInput] = field(default_factory=dict)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    """Every object that was created, in order, as Kind/name."""
    model_versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    promotions: dict[str, dict[str, Any]] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)
    said: dict[str, Notice] = field(default_factory=dict)
    status_writes: int = 0
    check_writes: bool = True
    """Hold every status against the CRD's schema; costs half of a run's time."""
    deleted: bool = False

    # --- what the test changes -------------------------------------------------------------------
    def change(self, path: str, value: Any) -> World:
        """Set a field of the job's manifest."""
        self.manifest = changed(self.manifest, {path: value})
        return self

    def wait(self, seconds: float) -> World:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        return self

    # --- what the core sees ----------------------------------------------------------------------
    def observe(self) -> ObservedCompression:
        """The whole state, parsed anew from JSON."""
        metadata = {"namespace": self.namespace, "uid": UID, **self.manifest["metadata"]}
        job = CompressionJob.parse({**self.manifest, "metadata": metadata, "status": self.status})
        seen = None
        if self.runtime is not None and self.runtime["metadata"]["name"] == job.spec.runtime_ref.name:
            seen = Runtime(job.spec.runtime_ref.name, 7, CompressionRuntime.parse(self.runtime).spec)
        image = job.status.image
        digest = image.manifest_digest.removeprefix("sha256:")[:12] if image else "-"
        name = f"{job.spec.model.name}-{digest}"
        identity = Identity(
            namespace=self.namespace,
            name=metadata["name"],
            uid=UID,
            generation=1,
            resource_version=str(self.status_writes),
            created=START,
            annotations=self.annotations,
        )
        return ObservedCompression(
            identity=identity,
            spec=job.spec,
            status=job.status,
            runtime=seen,
            namespace_labels=self.namespace_labels,
            children=tuple(self.jobs.values()),
            model_version=self.model_versions.get(name),
            promotions=tuple(self.promotions.values()),
            target_uids=self.targets,
            conflicts=frozenset(self.conflicts),
        )

    def decide(self) -> Decision:
        """What the core finds missing now."""
        return decide(self.observe(), self.now)

    # --- what the cluster does -------------------------------------------------------------------
    def write(self, decision: Decision) -> None:
        """Carry out the status write."""
        if decision.status is not None:
            if self.check_writes:
                check_status(decision.status)
            self.status = json.loads(json.dumps(decision.status))
            self.status_writes += 1

    def act(self, decision: Decision) -> None:
        """Carry out the actions and the announcements."""
        for action in decision.actions:
            match action:
                case Create(body):
                    self._create(dict(body))
                case Delete(_, kind, _, name, _, _):
                    self._delete(kind, name)
                case other:
                    raise AssertionError(f"not an effect of this kind: {other}")
        for notice in decision.notices:
            self.said.setdefault(notice.key, notice)

    def _create(self, body: dict[str, Any]) -> None:
        kind, metadata = body["kind"], body["metadata"]
        key = f"{kind}/{metadata['name']}"
        if kind == "Job":
            if metadata["name"] in self.jobs:
                return
            self._make_job(metadata["name"], body)
        elif kind == "Service":
            if key in self.made:
                return
        else:
            store = self.model_versions if kind == "ModelVersion" else self.promotions
            if metadata["name"] in store:
                return
            store[metadata["name"]] = {**body, "metadata": {**metadata, "uid": f"uid-of-{key}"}}
        self.made.append(key)

    def _make_job(self, name: str, body: dict[str, Any]) -> None:
        annotations = body["spec"]["template"]["metadata"]["annotations"]
        given = StageInput.model_validate_json(annotations[ANNOTATION_INPUT])
        self.inputs[name], self.bodies[name] = given, body
        pods = tuple(
            PodView(
                f"{name}-{n}", f"pod-{n}-of-{name}", f"uid-of-{name}", "Pending", created=self.now, rank=n
            )
            for n in range(body["spec"].get("parallelism", 1))
        )
        self.jobs[name] = ChildJob(
            name=name,
            uid=f"uid-of-{name}",
            owner_uid=body["metadata"]["ownerReferences"][0]["uid"],
            role=body["metadata"]["labels"][LABEL_ROLE],
            input_hash=body["metadata"]["annotations"][ANNOTATION_INPUT_HASH],
            created=self.now,
            labels=body["metadata"]["labels"],
            pods=pods,
        )

    def _delete(self, kind: str, name: str) -> None:
        if kind == "Job":
            self.jobs.pop(name, None)
        else:
            self.deleted = True

    # --- pods ------------------------------------------------------------------------------------
    def key(self, name: str) -> Key:
        """Which piece of work a Job does."""
        labels = self.jobs[name].labels
        stage = self.inputs[name].parameters.stage
        attempt = int(labels[LABEL_ATTEMPT])
        return Key(stage, labels.get(LABEL_STEP, ""), labels.get(LABEL_TARGET, ""), attempt)

    def waiting(self) -> Iterator[str]:
        """Names of Jobs whose pods have not ended."""
        for name, job in list(self.jobs.items()):
            if any(pod.terminated is None for pod in job.pods):
                yield name

    def set_pod(self, name: str, **fields: Any) -> World:
        """Change a pod's state."""
        job = self.jobs[name]
        self.jobs[name] = replace(job, pods=tuple(replace(pod, **fields) for pod in job.pods))
        return self

    def end_pod(self, name: str, ending: Ending | StageResult) -> World:
        """Let a pod end."""
        if isinstance(ending, StageResult):
            ending = Ending(message=ending.model_dump_json(by_alias=True, exclude_none=True))
        terminated = Terminated(ending.code, ending.reason, ending.message, self.now)
        phase = "Succeeded" if ending.code == 0 else "Failed"
        self.set_pod(name, phase=phase, terminated=terminated, disrupted=ending.disrupted)
        job = self.jobs[name]
        self.jobs[name] = replace(job, complete=ending.code == 0, failed=ending.code != 0)
        return self

    def end_pods(self) -> bool:
        """Let every pod end as the script says; None is a pod that goes on. True if one ended."""
        ended = False
        for name in self.waiting():
            ending = self.script(self.key(name), self.inputs[name])
            if ending is not None:
                self.wait(1).end_pod(name, ending)
                ended = True
        return ended

    # --- whole runs ------------------------------------------------------------------------------
    def settle(self) -> Decision:
        """Decide and carry out until nothing is missing; the last, empty decision."""
        for _ in range(20):
            decision = self.decide()
            done = decision.status is None and not self._wants(decision)
            self.write(decision)
            self.act(decision)
            if done:
                return decision
        raise AssertionError("the core never stops asking")

    def _wants(self, decision: Decision) -> bool:
        """Whether an action of a decision would change this world."""
        return any(
            isinstance(action, Delete)
            or f"{action.body['kind']}/{action.body['metadata']['name']}" not in self.made
            for action in decision.actions
        )

    def run(self, limit: int = 80) -> World:
        """Run to the end of the job, skipping over waits; stops where only a person can help."""
        for _ in range(limit):
            decision = self.settle()
            if self.ended:
                return self
            if not self.end_pods():
                if decision.wake_at is None:
                    return self
                self.now = max(self.now, decision.wake_at)
        raise AssertionError("the run does not end")

    # --- what the test reads ---------------------------------------------------------------------
    def condition(self, kind: str) -> dict[str, Any]:
        """A condition, or an empty one."""
        return next((item for item in self.status.get("conditions", []) if item["type"] == kind), {})

    def holds(self, kind: str) -> bool:
        """Whether a condition is True."""
        return self.condition(kind).get("status") == "True"

    @property
    def ended(self) -> bool:
        """Whether a terminal condition stands."""
        return self.holds("Complete") or self.holds("Failed")

    def work(self, name: str) -> dict[str, Any]:
        """An entry of status.steps or status.stages."""
        items = [*self.status.get("steps", []), *self.status.get("stages", [])]
        return next(item for item in items if item["name"] == name)

    def stages(self) -> list[str]:
        """The stages whose Jobs were made, in order, with step and attempt where they matter."""
        shown = []
        for item in self.made:
            kind, name = item.split("/")
            if kind == "Job":
                labels = self.bodies[name]["metadata"]["labels"]
                step = f":{labels[LABEL_STEP]}" if LABEL_STEP in labels else ""
                attempt = f"#{labels[LABEL_ATTEMPT]}" if labels[LABEL_ATTEMPT] != "0" else ""
                shown.append(f"{self.inputs[name].parameters.stage}{step}{attempt}")
            else:
                shown.append(kind)
        return shown


def check_status(status: Any) -> None:
    """Refuse what the API server would refuse: a field or a length that the CRD's schema does not have."""
    _VALIDATOR.validate(status)


def _closed(schema: Any) -> Any:
    """The schema with unknown keys refused: the API server would drop them silently."""
    if isinstance(schema, dict):
        closed = {key: _closed(value) for key, value in schema.items()}
        if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed.setdefault("additionalProperties", False)
        return closed
    return [_closed(item) for item in schema] if isinstance(schema, list) else schema


_VALIDATOR = jsonschema.Draft202012Validator(_closed(structural(CompressionJobStatus)))
