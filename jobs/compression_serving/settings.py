"""The server's settings, from environment variables that start with COMPRESSION_SERVING_.

Owns names, defaults and bounds. Nothing about the model stands here: that comes with the model's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compression_contract.served_model import MODEL_FOLDER
from compression_serving.errors import ModelError

PREFIX: Final = "COMPRESSION_SERVING_"


class Settings(BaseModel):
    """How to serve. Each field's variable is its name in upper case behind the prefix."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_folder: Path = Path(MODEL_FOLDER)
    host: str = "0.0.0.0"  # noqa: S104 - a pod's server is reached from outside the pod
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 << 20
    """A larger request is refused before it is read."""
    max_batch_rows: Annotated[int, Field(ge=1, le=1024)] = 8
    """Rows of one call of the model; a request with more rows is served in several calls."""
    max_delay_ms: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """How long a call waits for more rows. At 0 it takes what waits already: an idle server adds no delay."""
    max_queue_rows: Annotated[int, Field(ge=1)] = 512
    """Rows that may wait; more are refused with 503."""
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 3.0
    """From SIGTERM to the closed listener: unready, but answering, until no client is sent here any more."""
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = 20
    """How long requests in flight may take after that."""
    self_check: bool = True
    """Compare the model's answers with the golden outputs before the first request is served."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings; raises ModelError naming the variable that cannot be used."""
        names = {f"{PREFIX}{field.upper()}": field for field in cls.model_fields}
        given = {names[name]: value for name, value in environment.items() if name in names}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            variable = PREFIX + str(first["loc"][0]).upper()
            # A Service named compression-serving makes the kubelet set …_PORT unless service links are off.
            raise ModelError(
                f"{variable}={environment[variable][:60]!r} cannot be used: {first['msg']}"
                " (set it, or turn off enableServiceLinks in the pod)"
            ) from None
