"""The images of a CompressionRuntime: what trains, measures, serves, packages and signs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from compression_operator.api.base import SET_LIST, ApiModel, map_list
from compression_operator.api.compressionjob.pipeline import ExportFormat
from compression_operator.api.scalars import ImageRef, Label40, Label63, MetricName

HostPort = Annotated[
    str,
    Field(min_length=1, max_length=260, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$"),
]


class Runner(ApiModel):
    """The image that trains and quantises."""

    image: Annotated[ImageRef, Field(description="Image by digest.")]
    framework: Annotated[str, Field(max_length=63, description="For people, such as paddle 2.6.2.")] = ""
    toolkit: Annotated[str, Field(max_length=63, description="For people, such as paddleslim 2.6.0.")] = ""


class Evaluator(ApiModel):
    """An image that measures; it never runs user code."""

    name: Annotated[Label40, Field(description="Name that evaluation.targets[].runtime gives.")]
    image: Annotated[ImageRef, Field(description="Image by digest.")]
    formats: Annotated[
        tuple[ExportFormat, ...], Field(min_length=1, max_length=4, description="Files it can run."), SET_LIST
    ]
    metrics: Annotated[
        tuple[MetricName, ...],
        Field(min_length=1, max_length=16, description="Metrics it computes."),
        SET_LIST,
    ]


class ServingBase(ApiModel):
    """An image that serves; a model layer is put on top."""

    name: Annotated[Label40, Field(description="Name that packaging.servingBase gives.")]
    image: Annotated[ImageRef, Field(description="Image by digest.")]
    model_dir: Annotated[
        str,
        Field(max_length=128, pattern=r"^/[A-Za-z0-9/._-]*$", description="Where it looks for the model."),
    ] = "/models"
    run_as_user: Annotated[int, Field(ge=1, le=2**31 - 1, description="User it runs as; never root.")] = 65532


class Hook(ApiModel):
    """A signing hook; it runs in its own namespace with its own credentials."""

    name: Annotated[Label40, Field(description="Name that signing.hook gives.")]
    image: Annotated[ImageRef, Field(description="Image by digest.")]
    service_account_name: Annotated[Label63, Field(description="Its service account.")]
    namespace: Annotated[Label63, Field(description="Where it runs.")]


class Tools(ApiModel):
    """The image that resolves, packages and scans, and the scanner it asks."""

    image: Annotated[ImageRef, Field(description="Image by digest.")]
    scanner_service: Annotated[
        HostPort,
        Field(
            description="Host and port of the Trivy server, such as trivy.modelops-system:4954; no scheme."
        ),
    ]
    scanner_tls: Annotated[
        bool, Field(alias="scannerTLS", description="Whether that server speaks TLS; see trust.caBundle.")
    ] = False
    hooks: Annotated[
        tuple[Hook, ...], Field(max_length=8, description="Signing hooks."), map_list("name")
    ] = ()
