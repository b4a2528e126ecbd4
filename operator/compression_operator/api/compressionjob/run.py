"""How the pods of a CompressionJob run: deadlines, retries, clean-up, and what a pod template may say."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from compression_operator.api.base import OPAQUE, ApiModel, Rule, map_list
from compression_operator.api.compressionjob.immutable import immutable
from compression_operator.api.meta import NamedRef, Resources
from compression_operator.api.scalars import Duration, Quantity

Seconds = Annotated[int, Field(ge=1, le=2**31 - 1)]
OptionalLabel = Annotated[str, Field(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")]


class RetryDelay(ApiModel):
    """How long to wait before the next attempt: exponential, with jitter."""

    rules = (
        Rule(
            "!(self.base + self.max).matches('^([0-9]{1,5}(ms|s|m|h)){2,8}$') || "
            "duration(self.base) <= duration(self.max)",
            "base must not be longer than max",
        ),
    )

    base: Annotated[Duration, Field(description="Wait before the first repetition.")] = timedelta(seconds=10)
    max: Annotated[Duration, Field(description="Longest wait.")] = timedelta(minutes=10)


class Checkpoint(ApiModel):
    """What a training keeps of itself, so that an interruption costs at most one interval."""

    rules = (Rule("self.interval.matches('[1-9]')", "interval must be above 0", field_path=".interval"),)

    enabled: Annotated[
        bool, Field(description="Store checkpoints; without them an interrupted step starts again.")
    ] = True
    interval: Annotated[
        Duration,
        Field(description="Time between two of them; one more is stored when the pod is asked to end."),
    ] = timedelta(minutes=10)


class RunPolicy(ApiModel):
    """Deadlines, retries and clean-up."""

    rules = immutable("runPolicy")

    active_deadline_seconds: Annotated[
        Seconds,
        Field(description="Longest running time of the whole job; suspended and queued time does not count."),
    ] = 86_400
    start_deadline_seconds: Annotated[
        Seconds, Field(description="Longest time a pod may wait to be scheduled and to pull its image.")
    ] = 3_600
    backoff_limit: Annotated[
        int, Field(ge=0, le=20, description="Repetitions of a step that failed for a passing reason.")
    ] = 3
    infra_retry_limit: Annotated[
        int, Field(ge=0, le=100, description="Repetitions of a step whose pod was evicted or lost.")
    ] = 10
    retry_delay: Annotated[RetryDelay, Field(description="Wait between repetitions.")] = RetryDelay()
    checkpoint: Annotated[Checkpoint, Field(description="What a training keeps of itself.")] = Checkpoint()
    queue_name: Annotated[
        OptionalLabel,
        Field(description="Label kueue.x-k8s.io/queue-name of the children; empty: no queue."),
    ] = ""
    clean_pod_policy: Annotated[
        Literal["None", "Running", "All"],
        Field(description="Which pods go when the job ends: none, those still running, or all."),
    ] = "Running"
    deletion_policy: Annotated[
        Literal["Retain", "DeleteWork"],
        Field(description="What deleting the job does to its folder in the object store."),
    ] = "Retain"


class Toleration(ApiModel):
    """A toleration (core/v1 `Toleration`)."""

    key: Annotated[str | None, Field(max_length=316, description="Key of the taint; absent: any.")] = None
    operator: Annotated[
        Literal["Exists", "Equal"], Field(description="Exists: any value. Equal: this value.")
    ] = "Equal"
    value: Annotated[str | None, Field(max_length=63, description="Value of the taint.")] = None
    effect: Annotated[str | None, Field(max_length=32, description="Effect of the taint; absent: any.")] = (
        None
    )
    toleration_seconds: Annotated[
        int | None, Field(ge=0, le=2**31 - 1, description="How long a NoExecute taint is tolerated.")
    ] = None


class EnvVar(ApiModel):
    """A literal environment variable."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
            description="Name of the variable.",
        ),
    ]
    value: Annotated[str, Field(max_length=1024, description="Its value, a literal.")] = ""


class PodTemplate(ApiModel):
    """What an author may say of a pod: placing, labels and resources; never image, command or volumes."""

    service_account_name: Annotated[
        OptionalLabel,
        Field(description="Service account; the administrator must allow it. Empty: compression-runner."),
    ] = ""
    image_pull_secrets: Annotated[
        tuple[NamedRef, ...],
        Field(max_length=8, description="Secrets to pull images with."),
        map_list("name"),
    ] = ()
    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(max_length=16, description="Labels that the node must have."),
    ] = {}
    tolerations: Annotated[
        tuple[Toleration, ...], Field(max_length=16, description="Taints that do not matter.")
    ] = ()
    affinity: Annotated[
        dict[str, Any] | None, OPAQUE, Field(description="Affinity (core/v1 `Affinity`).")
    ] = None
    priority_class_name: Annotated[
        str, Field(max_length=63, description="Priority class; it must be allowed by the runtime.")
    ] = ""
    runtime_class_name: Annotated[str, Field(max_length=63, description="Runtime class, such as gvisor.")] = (
        ""
    )
    labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(max_length=16, description="Further labels; the project's own prefix is reserved."),
    ] = {}
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=1024)]],
        Field(max_length=16, description="Further annotations; the project's own prefix is reserved."),
    ] = {}
    resources: Annotated[
        Resources | None,
        Field(description="Compute resources. Default: spec.defaults.resources of the runtime."),
    ] = None


class DefaultPodTemplate(PodTemplate):
    """The template that all roles start from."""

    shm_size: Annotated[Quantity | None, Field(description="Size of /dev/shm, such as 1Gi.")] = None


class TrainPodTemplate(DefaultPodTemplate):
    """The template of training pods."""

    env: Annotated[
        tuple[EnvVar, ...] | None,
        Field(max_length=32, description="Environment variables of the training process."),
        map_list("name"),
    ] = None


class PodTemplates(ApiModel):
    """Pod templates by role; a role's own wins over `default` field by field."""

    rules = immutable("podTemplates")

    default: Annotated[DefaultPodTemplate | None, Field(description="All pods.")] = None
    train: Annotated[TrainPodTemplate | None, Field(description="Pods that train or quantise.")] = None
    evaluate: Annotated[PodTemplate | None, Field(description="Pods that measure.")] = None
    package: Annotated[PodTemplate | None, Field(description="Pods that make and push the image.")] = None
    scan: Annotated[PodTemplate | None, Field(description="Pods that scan the image.")] = None
