"""The words of a CompressionJob's conditions: types, and reasons by type.

Owns spelling only; users and other controllers read these words, so they never change within a version.
"""

from __future__ import annotations

from enum import StrEnum


class On(StrEnum):
    """Types of conditions."""

    ACCEPTED = "Accepted"
    SUSPENDED = "Suspended"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    EVALUATED = "Evaluated"
    GATES_PASSED = "GatesPassed"
    PACKAGED = "Packaged"
    SCANNED = "Scanned"
    PUBLISHED = "Published"
    COMPLETE = "Complete"
    FAILED = "Failed"
    PROMOTED = "Promoted"


class Why(StrEnum):
    """Reasons that the core itself gives; those of gates, of retries (`Ending`) and of pods join them."""

    VALID = "Valid"
    RUNTIME_NOT_FOUND = "RuntimeNotFound"
    NOT_ALLOWED = "NotAllowed"
    SECRET_NOT_USABLE = "SecretNotUsable"  # noqa: S105 - a reason
    PLAN_INVALID = "PlanInvalid"
    USER_REQUESTED = "UserRequested"
    QUEUED = "Queued"
    RESUMED = "Resumed"
    RUNNING = "Running"
    FINISHED = "Finished"
    ALL_MEASURED = "AllMeasured"
    TEACHER_TOO_WEAK = "TeacherTooWeak"
    MEASUREMENT_ERROR = "MeasurementError"
    EXPORTER_DISAGREES = "ExporterDisagrees"
    SLOWER_THAN_FLOAT = "SlowerThanFloat"
    PASSED = "Passed"
    INCONCLUSIVE = "Inconclusive"
    SCANNER_UNAVAILABLE = "ScannerUnavailable"
    PUSHED = "Pushed"
    PACKAGE_FAILED = "PackageFailed"
    SCANNED = "Scanned"
    SCAN_FAILED = "ScanFailed"
    CREATED = "Created"
    ALREADY_EXISTS = "AlreadyExists"
    PUBLISHED = "Published"
    GATE_FAILED = "GateFailed"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    NAME_CONFLICT = "NameConflict"
    CANCELLED = "Cancelled"
    INVALID_SPEC = "InvalidSpec"
    REQUESTED = "Requested"
    SUCCEEDED = "Succeeded"
