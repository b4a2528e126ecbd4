"""What the API server may answer instead of an object, told apart by what to do about it.

Owns the reading of `metav1.Status`. 409 and 403 have several meanings; the reason tells them apart, not the
code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An answer other than success."""

    def __init__(self, code: int, reason: str, message: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(f"{message} ({code} {reason})")
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes


class ConflictError(ApiError):
    """The object has changed, or its uid or resourceVersion is not the one that was named."""


class AlreadyExistsError(ApiError):
    """There is an object of that name."""


class NotFoundError(ApiError):
    """There is no such object, or no such kind."""


class ForbiddenError(ApiError):
    """A right is missing, a quota is used up, or an admission policy says no."""


class NamespaceTerminatingError(ForbiddenError):
    """The namespace is going away; nothing can be created in it any more."""


class FieldConflictError(ApiError):
    """Server-side apply without force met a field that another manager owns."""


class InvalidError(ApiError):
    """The object does not pass validation (422), or is no object at all (400)."""


class UnavailableError(ApiError):
    """The API server did not answer, or asked for patience: try again later."""


_CLASSES: Mapping[tuple[int, str], type[ApiError]] = {
    (409, "AlreadyExists"): AlreadyExistsError,
    (409, "Conflict"): ConflictError,
    (403, "Forbidden"): ForbiddenError,
    (404, "NotFound"): NotFoundError,
    (422, "Invalid"): InvalidError,
    (400, "BadRequest"): InvalidError,
}
_BY_CODE: Mapping[int, type[ApiError]] = {
    400: InvalidError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidError,
    422: InvalidError,
}


def error_of(code: int, body: Mapping[str, Any] | None) -> ApiError:
    """The error that an answer with this code and `Status` body stands for."""
    status = body or {}
    reason = str(status.get("reason") or "")
    message = str(status.get("message") or f"the API server answered {code}")
    causes = tuple(
        str(cause.get("reason") or "") for cause in (status.get("details") or {}).get("causes") or ()
    )
    kind = _CLASSES.get((code, reason)) or _BY_CODE.get(code, UnavailableError)
    if kind is ForbiddenError and "NamespaceTerminating" in causes:
        kind = NamespaceTerminatingError
    if kind is ConflictError and "FieldManagerConflict" in causes:
        kind = FieldConflictError
    return kind(code, reason, message, causes)
