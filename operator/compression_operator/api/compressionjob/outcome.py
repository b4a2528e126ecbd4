"""What came out of a CompressionJob: the image, its scan and signature, promotions, and the page about it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from compression_operator.api.base import ApiModel
from compression_operator.api.compressionjob.texts import (
    URI,
    Text32,
    Text40,
    Text63,
    Text64,
    Text71,
    Text128,
    Text512,
)
from compression_operator.api.meta import Counts
from compression_operator.api.scalars import Count, Time


class ImageStatus(ApiModel):
    """The serving image."""

    repository: Annotated[Annotated[str, Field(max_length=255)], Field(description="Where it was pushed.")]
    tag: Annotated[Text128 | None, Field(description="Its tag; deployments use the digest.")] = None
    manifest_digest: Annotated[Text71, Field(description="Digest of the image's manifest.")]
    layer_digest: Annotated[Text71 | None, Field(description="Digest of the model layer.")] = None
    bytes: Annotated[Count | None, Field(description="Size of the image.")] = None
    layer_bytes: Annotated[Count | None, Field(description="Size of the model layer.")] = None


class ScanStatus(ApiModel):
    """What the scanner found."""

    scanned_at: Annotated[Time | None, Field(description="When.")] = None
    scanner: Annotated[Text64 | None, Field(description="Which scanner and version.")] = None
    db_updated_at: Annotated[Time | None, Field(description="Age of its database.")] = None
    os: Annotated[Text64 | None, Field(description="The base system it recognised.")] = None
    end_of_life: Annotated[bool | None, Field(description="Whether that is past its end of life.")] = None
    counts: Annotated[Counts | None, Field(description="Findings by severity, exceptions left out.")] = None
    unfixed: Annotated[Count | None, Field(description="Findings without a fix.")] = None
    suppressed: Annotated[Count | None, Field(description="Findings under an exception.")] = None
    expired_exceptions: Annotated[
        tuple[Text64, ...], Field(max_length=50, description="Exceptions that no longer count.")
    ] = ()
    report_uri: Annotated[URI | None, Field(alias="reportURI", description="The whole report.")] = None
    sbom_digest: Annotated[Text71 | None, Field(description="sha256 of the bill of materials.")] = None


class SignatureStatus(ApiModel):
    """The signature of the image."""

    hook: Annotated[Text40, Field(description="The hook that signed.")]
    digest: Annotated[Text71, Field(description="What was signed.")]
    signed_at: Annotated[Time, Field(description="When.")]


class ObjectRef(ApiModel):
    """One object by name and uid."""

    name: Annotated[Text63, Field(description="Its name.")]
    uid: Annotated[Text64 | None, Field(description="Its uid.")] = None


class PromotionRecord(ApiModel):
    """A promotion that this job asked for."""

    target: Annotated[Text63, Field(description="The ServingTarget.")]
    name: Annotated[Text63, Field(description="The Promotion.")]
    state: Annotated[Text32 | None, Field(description="Its state when last seen.")] = None


class Report(ApiModel):
    """The page about the run: for people, decided by nothing."""

    state: Annotated[
        Literal["Pending", "Running", "Succeeded", "Failed"],
        Field(description="Where it stands; the run has its verdict whatever becomes of it."),
    ]
    uri: Annotated[URI | None, Field(description="Folder of the page and its plots.")] = None
    manifest_digest: Annotated[Text71 | None, Field(description="sha256 of its manifest.json.")] = None
    page: Annotated[
        Annotated[str, Field(max_length=256)] | None, Field(description="The page's file in that folder.")
    ] = None
    reason: Annotated[Text64 | None, Field(description="Why there is none, in one CamelCase word.")] = None
    message: Annotated[Text512 | None, Field(description="Why there is none, in a sentence.")] = None
