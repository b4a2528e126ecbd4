"""What a CompressionJob records of each piece of work: intent, child, result, failure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression_operator.api.base import ApiModel, map_list
from compression_operator.api.compressionjob.texts import (
    URI,
    Small,
    State,
    Text16,
    Text32,
    Text63,
    Text64,
    Text71,
    Text512,
)
from compression_operator.api.scalars import Count, Number, Time


class MetricValue(ApiModel):
    """One measured value."""

    name: Annotated[Text32, Field(description="Name of the metric.")]
    value: Annotated[Number, Field(description="The value, as text.")]
    low: Annotated[Number | None, Field(description="Lower end of its confidence interval.")] = None
    high: Annotated[Number | None, Field(description="Upper end of its confidence interval.")] = None
    samples: Annotated[Count | None, Field(description="Samples it was computed from.")] = None


MetricValues = Annotated[tuple[MetricValue, ...], Field(max_length=8), map_list("name")]


class Attempts(ApiModel):
    """Repetitions so far."""

    retryable: Annotated[Small, Field(description="After failures that count towards backoffLimit.")] = 0
    infra: Annotated[Small, Field(description="After evictions and lost pods, towards infraRetryLimit.")] = 0


class Child(ApiModel):
    """The batch/v1 Job that does the work."""

    job_name: Annotated[Text63, Field(description="Its name, written before it is created.")]
    job_uid: Annotated[
        Text64 | None, Field(alias="jobUID", description="Its uid, written once it was seen.")
    ] = None
    input_hash: Annotated[Text71, Field(description="sha256 of everything that goes into the work.")]
    attempt: Annotated[Count | None, Field(description="Which attempt it is, from 0.")] = None
    incarnation: Annotated[Count | None, Field(description="In which incarnation of the job.")] = None
    created: Annotated[Time | None, Field(description="When it was decided.")] = None


class Artifact(ApiModel):
    """A stored result."""

    uri: Annotated[URI, Field(description="Folder in the object store.")]
    manifest_digest: Annotated[Text71, Field(description="sha256 of its manifest.json.")]
    bytes: Annotated[Count | None, Field(description="Size of its files.")] = None


class Progress(ApiModel):
    """How far the work is; advisory."""

    percent: Annotated[int, Field(ge=0, le=100, description="Share that is done.")] = 0
    eta_seconds: Annotated[Count | None, Field(description="Seconds to the end, estimated.")] = None
    epoch: Annotated[int | None, Field(ge=0, le=100_000, description="Epoch in progress.")] = None
    updated: Annotated[Time | None, Field(description="When this was said.")] = None
    metrics: Annotated[MetricValues, Field(description="Latest values of the training.")] = ()


class LastFailure(ApiModel):
    """The last failed attempt."""

    class_: Annotated[Text32, Field(alias="class", description="Exit class: whether it is tried again.")]
    exit_code: Annotated[int | None, Field(ge=-1, le=255, description="Exit code of the container.")] = None
    reason: Annotated[Text64, Field(description="One CamelCase word.")]
    message: Annotated[Text512, Field(description="What went wrong, where, what to do.")]
    time: Annotated[Time, Field(description="When it ended.")]


class Work(ApiModel):
    """One piece of work with its intent, child, result and failure: a step, or a stage beside the steps."""

    name: Annotated[Text63, Field(description="Its name.")]
    type: Annotated[Text16 | None, Field(description="Type of the step.")] = None
    state: Annotated[State, Field(description="Where it stands.")] = "Pending"
    message: Annotated[Text512 | None, Field(description="Why it stands there.")] = None
    attempt: Annotated[Count | None, Field(description="The attempt in progress or last made, from 0.")] = (
        None
    )
    attempts: Annotated[Attempts, Field(description="Repetitions so far.")] = Attempts()
    child: Annotated[Child | None, Field(description="The batch/v1 Job that does the work.")] = None
    artifact: Annotated[Artifact | None, Field(description="The stored result.")] = None
    progress: Annotated[Progress | None, Field(description="How far it is; advisory.")] = None
    start_time: Annotated[Time | None, Field(description="When it was first decided.")] = None
    completion_time: Annotated[Time | None, Field(description="When it ended.")] = None
    retry_at: Annotated[Time | None, Field(description="When it is tried again.")] = None
    last_failure: Annotated[LastFailure | None, Field(description="The last failed attempt.")] = None
