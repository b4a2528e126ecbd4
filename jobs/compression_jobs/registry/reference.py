"""Names of repositories, tags and digests.

Owns their syntax and nothing else: parsing never talks to anybody.
"""

import re
from dataclasses import dataclass
from typing import Self

# distribution/reference: a path component, a tag and a SHA-256 digest.
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,252}[a-zA-Z0-9])?|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"({_HOST})/({_COMPONENT}(?:/{_COMPONENT})*)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}")
_LONGEST = 512


@dataclass(frozen=True)
class Repository:
    """A repository: the registry's `host` (with port) and the `name` inside it."""

    host: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host[:port]/path`; raises ValueError with a sentence when it is anything else."""
        match = _REPOSITORY.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            raise ValueError(
                f"{text[:120]!r} is not a repository: write host[:port]/path in lower case, no tag or digest"
            )
        return cls(*match.groups())

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


@dataclass(frozen=True)
class ImageReference:
    """An image by digest: the only form in which images are pulled, scanned or deployed here."""

    repository: Repository
    digest: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host[:port]/path@sha256:<64 hex>`; raises ValueError with a sentence otherwise."""
        name, at, digest = text.partition("@")
        if not at:
            raise ValueError(f"{text[:160]!r} names no digest: write host[:port]/path@sha256:<64 hex digits>")
        return cls(Repository.parse(name), checked_digest(digest))

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}"


def checked_digest(text: str) -> str:
    """`text` when it is a sha256 digest; raises ValueError otherwise."""
    if _DIGEST.fullmatch(text) is None:
        raise ValueError(f"{text[:80]!r} is not a digest: write sha256: and 64 lower-case hex digits")
    return text


def is_digest(text: str) -> bool:
    """Whether `text` is a sha256 digest."""
    return _DIGEST.fullmatch(text) is not None


def checked_tag(text: str) -> str:
    """`text` when it is a tag; raises ValueError otherwise."""
    if _TAG.fullmatch(text) is None:
        raise ValueError(
            f"{text[:140]!r} is not a tag: at most 128 letters, digits, dots, dashes, underscores"
        )
    return text
