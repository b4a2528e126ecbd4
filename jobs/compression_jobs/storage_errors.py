"""What the object store's answers mean, in the words of StageError.

Owns the table from boto3's exceptions to whose fault it is. Must not retry: the client has done so already.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from boto3.exceptions import Boto3Error
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from urllib3.exceptions import HTTPError

from compression_jobs.errors import (
    Denied,
    InvalidData,
    Misconfigured,
    NotFound,
    StageError,
    TransferFailed,
    Unavailable,
    chain,
)

STORAGE_FAILURES: Final = (ClientError, BotoCoreError, Boto3Error, HTTPError)
"""Everything that boto3 raises for the store's sake, the body's stream included."""

_UNREACHABLE: Final = (BotoConnectionError, HTTPClientError, IncompleteReadError, HTTPError, OSError)
_STATUS_IN_CODE: Final = {"404": HTTPStatus.NOT_FOUND, "403": HTTPStatus.FORBIDDEN}
_REFUSED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccountProblem", "AllAccessDisabled"}
)
_FULL: Final = frozenset({"QuotaExceeded", "XMinioStorageFull"})
_DAMAGED: Final = frozenset({"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"})
_TRANSIENT: Final = frozenset({"SlowDown", "RequestTimeout", "ThrottlingException", "RequestTimeTooSkewed"})


def is_status(error: ClientError, *statuses: HTTPStatus) -> bool:
    """Whether the store answered with one of these HTTP statuses."""
    return _status(error) in statuses


def explain(error: Exception, doing: str, endpoint: str) -> StageError:
    """The stage error for what the store answered, or did not.

    Args:
        error: one of STORAGE_FAILURES.
        doing: what was attempted, as in "reading s3://team-a/data/manifest.json".
        endpoint: the store's address.
    """
    causes = list(chain(error))
    answers = [cause for cause in causes if isinstance(cause, ClientError)]
    if answers:
        return _answered(answers[0], doing, endpoint)
    if any(isinstance(cause, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in causes):
        return Misconfigured(
            "StorageCertificateDistrusted",
            f"{_capital(doing)}: the certificate of {endpoint} is not trusted; "
            "put its authority into trust.caBundle of the CompressionRuntime.",
        )
    if any(isinstance(cause, FlexibleChecksumError) for cause in causes):
        return TransferFailed("TransferDamaged", f"{_capital(doing)}: what {endpoint} sent arrived damaged.")
    if not any(isinstance(cause, _UNREACHABLE) for cause in causes):
        return Misconfigured(
            "StorageMisconfigured",
            f"{_capital(doing)}: no request could be made for {endpoint} ({error}); check the endpoint.",
        )
    return Unavailable(
        "StorageUnavailable",
        f"{_capital(doing)}: {endpoint} cannot be reached ({type(causes[-1]).__name__}); "
        "check that the store is up and that the network lets this pod through.",
    )


def _answered(error: ClientError, doing: str, endpoint: str) -> StageError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = _status(error)
    where = f"{_capital(doing)} at {endpoint}"
    kind: type[StageError]
    if code == "NoSuchBucket":
        kind, reason, why = (
            NotFound,
            "BucketNotFound",
            "there is no such bucket; create it or correct the address",
        )
    elif status == HTTPStatus.NOT_FOUND:
        kind, reason, why = NotFound, "ObjectNotFound", "there is no such object; check the address"
    elif code in _REFUSED or status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
        kind, reason = Denied, "StorageDenied"
        why = f"refused ({code or status}); check the keys in the storage Secret and their rights"
    elif code in _DAMAGED:
        kind, reason, why = TransferFailed, "TransferDamaged", f"the bytes were damaged on their way ({code})"
    elif status == HTTPStatus.INSUFFICIENT_STORAGE or code in _FULL:
        kind, reason, why = Unavailable, "StorageFull", f"it is full ({code}); free space or raise the quota"
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or code in _TRANSIENT:
        kind, reason, why = (
            Unavailable,
            "StorageUnavailable",
            f"it answered {status} ({code}); try again later",
        )
    else:
        kind, reason, why = InvalidData, "StorageRefused", f"it does not accept this ({status} {code})"
    return kind(reason, f"{where}: {why}.")


def _status(error: ClientError) -> int:
    status: int | None = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    # An answer to HEAD has no body: there the code is the bare number.
    return status or int(_STATUS_IN_CODE.get(str(error.response.get("Error", {}).get("Code", "")), 0))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
