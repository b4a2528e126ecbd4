"""CompressionJob: one bounded run from a float model to a released INT8 model."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression_operator.api.base import Column, KindInfo, Resource, Rule
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.api.compressionjob.status import CompressionJobStatus
from compression_operator.api.meta import ObjectMeta

NAME_RULE = Rule(
    "size(self.metadata.name) <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "metadata.name must be a DNS label of at most 40 characters (children get longer names): shorten it",
)

__all__ = ["CompressionJob", "CompressionJobSpec", "CompressionJobStatus"]


class CompressionJob(Resource):
    """One run: distil, quantise, measure, gate, package, scan and release one model."""

    info = KindInfo(
        kind="CompressionJob",
        plural="compressionjobs",
        short_name="cmj",
        scope="Namespaced",
        categories=("all", "modelops"),
        columns=(
            Column("Stage", ".status.stage"),
            Column("Model", ".spec.model.name"),
            Column("Selected", ".status.selected.step"),
            Column("Metric", ".status.summary.metric"),
            Column("Complete", '.status.conditions[?(@.type=="Complete")].status'),
            Column("Failed", '.status.conditions[?(@.type=="Failed")].reason'),
            Column("Version", ".status.modelVersionRef.name"),
            Column("Age", ".metadata.creationTimestamp", "date"),
            Column("Image", ".status.image.tag", priority=1),
            Column("Critical", ".status.scan.counts.critical", "integer", priority=1),
            Column("High", ".status.scan.counts.high", "integer", priority=1),
            Column("Report", ".status.report.uri", priority=1),
            Column("Queue", ".spec.runPolicy.queueName", priority=1),
        ),
        description=(
            "CompressionJob is one bounded run: it distils, quantises, measures, gates, packages, "
            "scans and "
            "releases one model. Its spec is immutable but for suspend, cancel and ttlSecondsAfterFinished."
        ),
        root_rules=(NAME_RULE,),
    )

    metadata: ObjectMeta
    spec: Annotated[CompressionJobSpec, Field(description="How to compress, and what is good enough.")]
    status: Annotated[CompressionJobStatus, Field(description="What the operator has observed and done.")] = (
        CompressionJobStatus()
    )
