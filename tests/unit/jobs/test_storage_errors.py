"""What the object store's answers mean."""

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    FlexibleChecksumError,
    IncompleteReadError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.exceptions import ProtocolError

from compression_contract.exitcodes import ExitCode
from compression_jobs import storage_errors

ENDPOINT = "https://s3.example.com"


def answer(status: int | None, code: str) -> ClientError:
    metadata = {} if status is None else {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "GetObject")


def wrapped(inner: Exception) -> Exception:
    outer = S3UploadFailedError("failed to upload")
    outer.__context__ = inner
    return outer


CASES = {
    "no bucket": (answer(404, "NoSuchBucket"), ExitCode.NO_INPUT, "BucketNotFound"),
    "no object": (answer(404, "NoSuchKey"), ExitCode.NO_INPUT, "ObjectNotFound"),
    "no object, asked by HEAD": (answer(None, "404"), ExitCode.NO_INPUT, "ObjectNotFound"),
    "wrong secret": (answer(403, "SignatureDoesNotMatch"), ExitCode.NO_PERMISSION, "StorageDenied"),
    "no right": (answer(403, "AccessDenied"), ExitCode.NO_PERMISSION, "StorageDenied"),
    "unknown key": (answer(403, "InvalidAccessKeyId"), ExitCode.NO_PERMISSION, "StorageDenied"),
    "damaged": (answer(400, "BadDigest"), ExitCode.IO_ERROR, "TransferDamaged"),
    "full": (answer(507, "QuotaExceeded"), ExitCode.UNAVAILABLE, "StorageFull"),
    "slow down": (answer(503, "SlowDown"), ExitCode.UNAVAILABLE, "StorageUnavailable"),
    "broken": (answer(500, "InternalError"), ExitCode.UNAVAILABLE, "StorageUnavailable"),
    "strange": (answer(400, "MalformedXML"), ExitCode.DATA, "StorageRefused"),
    "inside an upload": (wrapped(answer(403, "AccessDenied")), ExitCode.NO_PERMISSION, "StorageDenied"),
    "unreachable": (
        EndpointConnectionError(endpoint_url=ENDPOINT),
        ExitCode.UNAVAILABLE,
        "StorageUnavailable",
    ),
    "no answer": (ConnectTimeoutError(endpoint_url=ENDPOINT), ExitCode.UNAVAILABLE, "StorageUnavailable"),
    "silence": (ReadTimeoutError(endpoint_url=ENDPOINT), ExitCode.UNAVAILABLE, "StorageUnavailable"),
    "cut off": (ProtocolError("broken"), ExitCode.UNAVAILABLE, "StorageUnavailable"),
    "cut short": (
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ExitCode.UNAVAILABLE,
        "StorageUnavailable",
    ),
    "wrong checksum": (FlexibleChecksumError(error_msg="crc32"), ExitCode.IO_ERROR, "TransferDamaged"),
    "distrusted": (
        SSLError(endpoint_url=ENDPOINT, error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"),
        ExitCode.CONFIG,
        "StorageCertificateDistrusted",
    ),
    "broken handshake": (
        SSLError(endpoint_url=ENDPOINT, error="UNEXPECTED_EOF_WHILE_READING"),
        ExitCode.UNAVAILABLE,
        "StorageUnavailable",
    ),
    "no request": (
        ParamValidationError(report="Invalid bucket name"),
        ExitCode.CONFIG,
        "StorageMisconfigured",
    ),
}


@pytest.mark.parametrize(("error", "code", "reason"), CASES.values(), ids=CASES.keys())
def test_an_answer_becomes_whose_fault_it_is(error, code, reason):
    found = storage_errors.explain(error, "reading s3://team-a/data/x", ENDPOINT)

    assert (found.exit_code, found.reason) == (code, reason)
    assert "s3://team-a/data/x" in found.message
    assert ENDPOINT in found.message


def test_everything_that_boto3_raises_for_the_store_is_among_the_failures():
    assert all(isinstance(error, storage_errors.STORAGE_FAILURES) for error, _, _ in CASES.values())
