"""Credentials for a registry, and how it is asked to accept them.

Owns reading a `kubernetes.io/dockerconfigjson` Secret and the WWW-Authenticate challenge (RFC 9110,
distribution token specification). Must not know HTTP sessions.
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_LARGEST_CONFIG = 1 << 20
_PARAMETER = re.compile(r'([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True)
class Credentials:
    """One account at one registry. The password never shows in a representation."""

    username: str
    password: str = field(repr=False)

    def basic(self) -> str:
        """The Authorization header's value for the Basic scheme."""
        pair = f"{self.username}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


@dataclass(frozen=True)
class DockerConfig:
    """The accounts of a docker config, by registry host with optional path."""

    accounts: dict[str, Credentials] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a docker config's JSON; raises ValueError with a sentence that never quotes its content."""
        if len(raw) > _LARGEST_CONFIG:
            raise ValueError(f"the docker config is larger than {_LARGEST_CONFIG} bytes")
        try:
            auths = json.loads(raw)["auths"]
            accounts = {_host_of(key): _credentials(entry) for key, entry in auths.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, _BadEntryError):
                raise
            raise ValueError('the docker config is not JSON of the form {"auths": {"<host>": …}}') from None
        return cls({host: account for host, account in accounts.items() if account is not None})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a docker config file; an absent file is an empty config (anonymous access)."""
        return cls.parse(path.read_bytes()) if path.exists() else cls()

    def account_for(self, host: str, repository: str = "") -> Credentials | None:
        """The account for a repository: the longest matching `host/path` wins, then `host` alone."""
        wanted = f"{host}/{repository}".rstrip("/")
        fitting = [key for key in self.accounts if wanted == key or wanted.startswith(key + "/")]
        return self.accounts[max(fitting, key=len)] if fitting else None


class _BadEntryError(ValueError):
    """An entry of a docker config that cannot be used; its message says which."""


def _host_of(key: str) -> str:
    bare = key.split("://", 1)[-1].rstrip("/")
    # Docker Hub's entry and old clients carry the API version as a path.
    return re.sub(r"/v[12]$", "", bare)


def _credentials(entry: dict[str, Any]) -> Credentials | None:
    if entry.get("username") is not None and entry.get("password") is not None:
        return Credentials(str(entry["username"]), str(entry["password"]))
    if entry.get("auth"):
        try:
            name, colon, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _BadEntryError("an `auth` of the docker config is not base64 text") from None
        if not colon:
            raise _BadEntryError("an `auth` of the docker config is not user:password")
        return Credentials(name, password)
    if entry.get("identitytoken"):
        raise _BadEntryError("the docker config holds an identity token; give username and password")
    return None


@dataclass(frozen=True)
class Challenge:
    """What a registry wants: `scheme` in lower case ("basic", "bearer") and its parameters."""

    scheme: str
    parameters: dict[str, str]

    @classmethod
    def parse(cls, header: str) -> Self:
        """Read a WWW-Authenticate header; an unreadable one has the scheme ""."""
        scheme, _, rest = header.strip().partition(" ")
        found = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        return cls(scheme.lower(), found)
