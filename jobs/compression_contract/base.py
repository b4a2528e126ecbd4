"""The common shape of every contract model, and the canonical form that digests are taken of.

Owns field naming (camelCase on the wire), strictness (unknown keys are refused: a pod's output is data
from outside) and hashing. Must not know any stage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel


class Frozen(BaseModel):
    """An immutable model with camelCase keys that refuses what it does not know, and NaN and infinity."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    def wire(self) -> dict[str, Any]:
        """The JSON-ready form with camelCase keys, without absent optional fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _no_parent(uri: str) -> str:
    if ".." in uri:
        raise ValueError("an object address must not contain '..'")
    return uri


Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[a-f0-9]{64}$")]
"""A content digest as OCI writes it: ``sha256:`` and 64 lower-case hexadecimal digits."""

S3URI = Annotated[
    str,
    StringConstraints(pattern=r"^s3://[a-z0-9.-]{3,63}/[A-Za-z0-9._/=-]{1,512}$"),
    AfterValidator(_no_parent),
]
"""An object or a prefix: ``s3://bucket/key``."""

ImageReference = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+@sha256:[a-f0-9]{64}$", max_length=400),
]
"""An image pinned by digest, never by tag."""

ShortText = Annotated[str, StringConstraints(max_length=512)]
"""A sentence for a person; longer ones are cut where they are made."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


def canonical_json(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Render JSON one way only: sorted keys, no blanks, UTF-8, finite numbers.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_of(data: bytes) -> str:
    """The sha256 digest of some bytes, in OCI's notation."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_of_json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """The digest of a value's canonical JSON."""
    return digest_of(canonical_json(value))
