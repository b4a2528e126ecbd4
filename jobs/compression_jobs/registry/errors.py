"""What can go wrong with a registry, named by whose fault it is.

Owns the four errors of this package and how an HTTP answer becomes one of them. Must not know what a caller
does about it: exit codes and retries are decided where stages are run.
"""

from http import HTTPStatus


class RegistryError(Exception):
    """Something went wrong with a registry; only its subclasses are raised."""


class Denied(RegistryError):
    """The registry understood and said no: credentials, rights, policy. Asking again changes nothing."""


class NotFound(RegistryError):
    """The registry does not hold what was asked for."""


class Unavailable(RegistryError):
    """The registry cannot be reached or is unwell. Asking again later may help."""


class Corrupt(RegistryError):
    """What came back, or arrived there, is not what its digest, size or type says."""


_TRANSIENT = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
_DAMAGED = ("DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_INVALID")


def error_for(status: int, body: str, doing: str) -> RegistryError:
    """The error for an HTTP `status` outside 2xx.

    Args:
        status: the answer's status code.
        body: the start of the answer's body, for the registry's own words.
        doing: what was attempted, as in "pushing to registry.example.com/team-a/fmnist".
    """
    said = " ".join(body.split())[:200]
    detail = f"{doing}: the registry answered {status}" + (f" ({said})" if said else "")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT:
        return Unavailable(f"{detail}; it may be able to later")
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(f"{detail}; check the name and the digest")
    if any(code in body for code in _DAMAGED):
        return Corrupt(f"{detail}; the bytes were damaged on their way")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Denied(f"{detail}; give the account in the registry Secret this right")
    return Denied(f"{detail}; the registry does not accept this")
