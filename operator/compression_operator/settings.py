"""What the operator can be told from outside, all of it by environment variables.

Owns names, defaults and bounds. Made once at start; does no I/O and knows no cluster.
"""

from __future__ import annotations

import logging
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX: Final = "COMPRESSION_OPERATOR_"

Port = Annotated[int, Field(ge=0, le=65535)]


def _known_level(level: str) -> str:
    if level.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"{level} is no log level: write DEBUG, INFO, WARNING or ERROR")
    return level.upper()


class Settings(BaseSettings):
    """The operator's settings; COMPRESSION_OPERATOR_WORKERS=8 sets `workers`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    namespaces: Annotated[str, NoDecode] = Field(
        "", description="Namespaces to serve, separated by commas; empty serves all of them."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="json: an object a line; text: for people."
    )
    log_level: Annotated[str, AfterValidator(_known_level)] = Field("INFO", description="Least level to log.")
    address: str = Field("0.0.0.0", description="Where both ports listen.")  # noqa: S104 - probes come from the node
    metrics_port: Port = Field(9090, description="/metrics and /readyz; 0 chooses a free port.")
    liveness_port: Port = Field(8080, description="/healthz; 0 chooses a free port.")
    workers: int = Field(32, ge=1, le=256, description="How many objects are worked on at a time.")
    leader_election: bool | None = Field(
        None, description="Write only while holding the Lease; unset: in a pod yes, elsewhere no."
    )
    lease_name: str = Field("compression-operator", description="Name of the Lease.")
    lease_namespace: str = Field("", description="Its namespace; empty: the pod's own.")
    identity: str = Field("", description="Who we are to others; empty: host name and a random part.")
    keep_finished_seconds: int = Field(
        3600, ge=0, description="How long ended child Jobs are kept after their parent's end was recorded."
    )
    resync_seconds: float = Field(
        600.0, ge=1.0, description="How often the list of child Jobs is compared with what is remembered."
    )
    insecure_no_admission: bool = Field(
        False,
        description="Start although the admission policies that keep children genuine are not installed.",
    )

    @property
    def served(self) -> tuple[str, ...]:
        """The namespaces to serve; none means all."""
        return tuple(name for part in self.namespaces.split(",") if (name := part.strip()))
