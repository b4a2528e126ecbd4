"""Facts of a scanner's report: what it says is counted, what it does not say stays absent."""

import datetime as dt
import json

import pytest

from compression_contract.base import canonical_json
from compression_contract.inputs import ScanException
from compression_contract.results import StageResult
from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.registry import ImageReference
from compression_jobs.stages.scan import (
    Evidence,
    facts_of,
    ignore_document,
    require_same_image,
    split_exceptions,
)
from compression_jobs.trivy import Report

DIGEST = "sha256:" + "a" * 64
IMAGE = ImageReference.parse(f"registry.example.com/team/x@{DIGEST}")
EVIDENCE = Evidence(DIGEST, "sha256:" + "b" * 64, "sha256:" + "c" * 64)
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


def document(**changes) -> dict:
    return {
        "SchemaVersion": 2,
        "Trivy": {
            "Version": "0.76.0",
            "Server": {"Version": "0.75.0", "VulnerabilityDB": {"UpdatedAt": "2026-11-22T00:00:00Z"}},
        },
        "CreatedAt": "2026-11-22T12:00:00.123456789Z",
        "ArtifactName": str(IMAGE),
        "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "debian", "Name": "12.4"}, "RepoDigests": [str(IMAGE)]},
        "Results": [],
    } | changes


def report(**changes) -> Report:
    return Report.model_validate_json(json.dumps(document(**changes)))


def finding(severity: str = "HIGH", fixed: str = "2.0") -> dict:
    return {"VulnerabilityID": "CVE-2026-1", "Severity": severity, "FixedVersion": fixed}


def facts(findings: list[dict], *, ignore_unfixed: bool = False, **changes):
    results = [{"Target": "x", "Vulnerabilities": findings}]
    return facts_of(report(Results=results, **changes), EVIDENCE, ignore_unfixed=ignore_unfixed)


def test_findings_of_all_results_are_counted_by_severity():
    words = ["CRITICAL", "HIGH", "HIGH", "MEDIUM", "LOW", "UNKNOWN", "NEGLIGIBLE"]
    counts = facts([finding(word) for word in words]).counts
    assert counts.wire() == {"critical": 1, "high": 2, "medium": 1, "low": 1, "unknown": 2}


@pytest.mark.parametrize(("ignored", "high"), [(False, 2), (True, 1)])
def test_unfixed_findings_are_counted_by_themselves_either_way(ignored, high):
    found = facts([finding(), finding(fixed="")], ignore_unfixed=ignored)
    assert (found.counts.high, found.unfixed) == (high, 1)


def test_the_server_is_who_scanned():
    found = facts([])
    assert found.scanner == "trivy 0.75.0"
    assert found.database_updated_at == dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


@pytest.mark.parametrize("scanner", [{}, {"Version": "0.76.0"}, {"Version": "0.76.0", "Server": {}}])
def test_a_database_without_a_date_is_an_absent_fact(scanner):
    assert facts([], Trivy=scanner).database_updated_at is None


@pytest.mark.parametrize("metadata", [{}, {"OS": {"Family": "", "Name": ""}}, {"OS": None}])
def test_an_unrecognised_system_has_no_end_of_life_fact(metadata):
    found = facts([], Metadata=metadata)
    assert (found.os_family, found.end_of_life) == ("", None)


def test_suppressed_vulnerabilities_are_counted_and_other_suppressions_are_not():
    modified = [{"Type": "vulnerability", "Status": "ignored"}, {"Type": "secret", "Status": "ignored"}]
    results = [{"ExperimentalModifiedFindings": modified}]
    assert facts_of(report(Results=results), EVIDENCE, ignore_unfixed=False).suppressed == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"ArtifactName": "registry.example.com/team/x:latest"},
        {"Metadata": {"RepoDigests": []}},
        {"Metadata": {"RepoDigests": [f"registry.example.com/team/x@sha256:{'d' * 64}"]}},
    ],
)
def test_a_report_about_another_image_is_refused(changes):
    with pytest.raises(InvalidData) as refused:
        require_same_image(report(**changes), IMAGE)
    assert refused.value.reason == "ScanReportMismatch"


def test_a_report_about_this_image_is_accepted():
    assert require_same_image(report(), IMAGE) is None


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", json.dumps(document(SchemaVersion=3)).encode(), b'{"Results": "none"}']
)
def test_no_readable_report_is_no_evidence(tmp_path, raw):
    path = tmp_path / "report.json"
    path.write_bytes(raw)
    with pytest.raises(InvalidData) as refused:
        Report.read(path)
    assert refused.value.reason == "ScanReportInvalid"


def exception(identifier: str, expires: str, purl: str = "") -> ScanException:
    return ScanException(id=identifier, reason="why", expires=expires, purl=purl)


def test_an_exception_holds_until_its_moment_and_not_at_it():
    given = [
        exception("past", "2026-11-22T11:59:59Z"),
        exception("now", "2026-11-22T12:00:00Z"),
        exception("zone", "2026-11-22T13:30:00+02:00"),
        exception("later", "2026-11-22T12:00:01Z"),
    ]
    active, expired = split_exceptions(given, NOW)
    assert [one.id for one in active] == ["later"]
    assert [one.id for one in expired] == ["past", "now", "zone"]


@pytest.mark.parametrize("expires", ["", "soon", "2027-01-31", "2027-01-31T00:00:00"])
def test_an_expiry_that_is_no_moment_is_refused(expires):
    with pytest.raises(InvalidInput, match="2027-01-31T00:00:00Z"):
        split_exceptions([exception("x", expires)], NOW)


def test_exceptions_are_rendered_for_the_scanner_with_their_reason_and_day():
    given = [exception("CVE-1", "2027-01-31T00:00:00Z", "pkg:deb/debian/zlib1g"), exception("CVE-2", "2028")]
    assert json.loads(ignore_document(given)) == {
        "vulnerabilities": [
            {
                "id": "CVE-1",
                "statement": "why",
                "expired_at": "2027-01-31T00:00:00Z",
                "purls": ["pkg:deb/debian/zlib1g"],
            },
            {"id": "CVE-2", "statement": "why", "expired_at": "2028"},
        ]
    }


def test_the_largest_facts_fit_a_termination_message():
    late = Evidence(DIGEST, DIGEST, DIGEST, tuple("CVE-2026-1234567890abcde"[:24] for _ in range(50)))
    found = facts_of(report(), late, ignore_unfixed=False)
    assert len(canonical_json(StageResult(input_hash=DIGEST, facts=found).wire())) < 3072
