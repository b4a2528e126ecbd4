"""Scan: what the scanner found in an image, and what the image is made of.

Owns turning a report into facts. Decides nothing: thresholds, the database's age and an unknown operating
system are judged by the gate that reads the facts.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from compression_contract.artifacts import ArtifactKind
from compression_contract.base import canonical_json, digest_of
from compression_contract.inputs import ScanException, ScanInput
from compression_contract.results import ScanFacts, SeverityCounts
from compression_jobs import sbom
from compression_jobs.artifacts import Output, digest_of_file
from compression_jobs.context import StageContext, StageOutcome
from compression_jobs.errors import InvalidData, InvalidInput, Unavailable
from compression_jobs.registry import ImageReference, Manifest, attach
from compression_jobs.registry_access import CONFIG_KEY, connect, explained
from compression_jobs.trivy import BillFormat, Report, Trivy, TrivyError, find_program

REPORT_NAME: Final = "report.json"
_SERVER_SECONDS: Final = 10.0
_LONGEST_ID: Final = 24  # fifty of them must fit in a termination message
_EMPTY_CONFIG: Final = b'{"auths":{}}'
_FORMATS: Final[dict[str, tuple[BillFormat, str, str]]] = {
    "CycloneDX": ("cyclonedx", "sbom.cdx.json", sbom.CYCLONEDX),
    "SPDX": ("spdx-json", "sbom.spdx.json", sbom.SPDX),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a scan leaves behind, by digest, and the exceptions that no longer hold."""

    image_digest: str
    report_digest: str
    bill_digest: str
    expired_exceptions: tuple[str, ...] = ()


def run(context: StageContext[ScanInput]) -> StageOutcome:
    """Scan an image by digest; returns facts, with report and bill of materials as an artifact.

    Raises:
        Unavailable: ScannerUnavailable, ScanFailed, RegistryUnavailable; a later attempt may do better.
        Denied: PullDenied, or SBOMDenied where the account may not attach.
        NotFound: ImageNotFound.
        InvalidData: ScanReportInvalid, ScanReportMismatch.
    """
    given = context.parameters
    image = ImageReference.parse(given.image)
    active, expired = split_exceptions(given.exceptions, dt.datetime.now(dt.UTC))
    manifest = _present(context, image)
    require_scanner(given.server, context.ca_bundle)
    folder = context.folder("scan")
    report_file = folder / REPORT_NAME
    trivy = Trivy(find_program(), context.folder("trivy"), _accounts(context), context.ca_bundle)
    _scan(trivy, context, image, active, report_file)
    report = Report.read(report_file)
    require_same_image(report, image)
    bill = _bill(trivy, given, image, report_file)
    (folder / _FORMATS[given.sbom_format][1]).write_bytes(bill)
    if given.attach_sbom:
        _attach(context, image, manifest, bill)
    evidence = Evidence(
        image.digest,
        digest_of_file(report_file),
        digest_of(bill),
        tuple(exception.id[:_LONGEST_ID] for exception in expired),
    )
    facts = facts_of(report, evidence, ignore_unfixed=given.ignore_unfixed)
    return StageOutcome(facts, Output(folder, ArtifactKind.SCAN, {"image": given.image}))


def split_exceptions(
    exceptions: Sequence[ScanException], now: dt.datetime
) -> tuple[list[ScanException], list[ScanException]]:
    """The exceptions that hold at `now`, and those whose day has passed.

    Raises:
        InvalidInput: ExceptionInvalid, an expiry that is no time.
    """
    moment = TypeAdapter(AwareDatetime)
    active: list[ScanException] = []
    expired: list[ScanException] = []
    for exception in exceptions:
        try:
            expires = moment.validate_python(exception.expires)
        except ValidationError:
            raise InvalidInput(
                "ExceptionInvalid",
                f"The exception for {exception.id} expires at {exception.expires[:40]!r}; "
                "write a time as in 2027-01-31T00:00:00Z.",
            ) from None
        (active if now < expires else expired).append(exception)
    return active, expired


def ignore_document(exceptions: Sequence[ScanException]) -> bytes:
    """The exceptions in the form of a .trivyignore.yaml; JSON is YAML."""
    entries = [
        {
            "id": exception.id,
            "statement": exception.reason,
            "expired_at": exception.expires,
            **({"purls": [exception.purl]} if exception.purl else {}),
        }
        for exception in exceptions
    ]
    return canonical_json({"vulnerabilities": entries})


def facts_of(report: Report, evidence: Evidence, *, ignore_unfixed: bool) -> ScanFacts:
    """Counts and circumstances of a report. What the scanner does not say stays absent.

    Args:
        report: the parsed report.
        evidence: what was scanned, and what of it is kept.
        ignore_unfixed: leave findings without a fixed version out of the counts by severity; they are
            counted by themselves either way.
    """
    findings = [finding for result in report.results for finding in result.vulnerabilities]
    unfixed = sum(1 for finding in findings if not finding.fixed_version)
    counted = [finding for finding in findings if finding.fixed_version or not ignore_unfixed]
    known = set(SeverityCounts.model_fields)
    words = [finding.severity.lower() for finding in counted]
    severities = Counter(word if word in known else "unknown" for word in words)
    suppressed = [found for result in report.results for found in result.experimental_modified_findings]
    server = report.trivy.server
    database = server.vulnerability_db if server else None
    system = report.metadata.os
    return ScanFacts(
        image_digest=evidence.image_digest,
        scanner=f"trivy {(server.version if server else '') or report.trivy.version}".strip(),
        scanned_at=report.created_at,
        database_updated_at=database.updated_at if database else None,
        os_family=system.family if system else "",
        os_name=system.name if system else "",
        end_of_life=system.end_of_life if system and system.family else None,
        counts=SeverityCounts(**severities),
        unfixed=unfixed,
        suppressed=sum(1 for found in suppressed if found.type in {"", "vulnerability"}),
        expired_exceptions=evidence.expired_exceptions,
        report_digest=evidence.report_digest,
        sbom_digest=evidence.bill_digest,
    )


def require_same_image(report: Report, image: ImageReference) -> None:
    """Refuse a report about anything but `image`.

    Raises:
        InvalidData: ScanReportMismatch.
    """
    digests = {name.rpartition("@")[2] for name in report.metadata.repo_digests}
    if report.artifact_name != str(image) or digests != {image.digest}:
        raise InvalidData(
            "ScanReportMismatch",
            f"The report is about {report.artifact_name[:300]} "
            f"({', '.join(sorted(digests)) or 'no digest'}), not about {image}.",
        )


def require_scanner(server: str, ca_bundle: Path | None) -> None:
    """Ask the Trivy server whether it is well, before anything is downloaded for it.

    Raises:
        Unavailable: ScannerUnavailable.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(ca_bundle) if ca_bundle else True
        try:
            answer = session.get(f"{server}/healthz", timeout=_SERVER_SECONDS, stream=True)
            healthy = answer.ok
            why = f"it answers {answer.status_code}"
            answer.close()
        except requests.RequestException as error:
            healthy, why = False, type(error).__name__
    if not healthy:
        raise Unavailable(
            "ScannerUnavailable",
            f"The Trivy server at {server} cannot be used ({why}); "
            "check that it runs and that the network lets this pod through.",
        )


def _present(context: StageContext[ScanInput], image: ImageReference) -> Manifest:
    """The image's manifest: it is there, and this account may read it."""
    with (
        explained("reading the image to be scanned", denied="PullDenied", absent="ImageNotFound"),
        connect(context, image.repository) as registry,
    ):
        return registry.manifest(image.repository.name, image.digest)


def _accounts(context: StageContext[ScanInput]) -> bytes:
    path = context.registry_secret / CONFIG_KEY
    return path.read_bytes() if path.exists() else _EMPTY_CONFIG


def _scan(
    trivy: Trivy,
    context: StageContext[ScanInput],
    image: ImageReference,
    exceptions: Sequence[ScanException],
    report: Path,
) -> None:
    ignore_file = None
    if exceptions:
        ignore_file = context.folder("exceptions") / "trivyignore.yaml"
        ignore_file.write_bytes(ignore_document(exceptions))
    try:
        trivy.scan(image, context.parameters.server, ignore_file, report)
    except TrivyError as error:
        require_scanner(context.parameters.server, context.ca_bundle)
        raise Unavailable("ScanFailed", f"Trivy could not scan {image}: {error}.") from error


def _bill(trivy: Trivy, given: ScanInput, image: ImageReference, report: Path) -> bytes:
    bill_format, name, _ = _FORMATS[given.sbom_format]
    raw = trivy.scratch / name
    try:
        trivy.convert(report, bill_format, raw)
        make = sbom.reproducible_cyclonedx if bill_format == "cyclonedx" else sbom.reproducible_spdx
        return make(raw.read_bytes(), str(image))
    except (TrivyError, ValueError) as error:
        raise InvalidData(
            "ScanReportInvalid", f"No bill of materials can be made of the report: {error}."
        ) from error


def _attach(context: StageContext[ScanInput], image: ImageReference, manifest: Manifest, bill: bytes) -> None:
    media_type = _FORMATS[context.parameters.sbom_format][2]
    with (
        explained("attaching the bill of materials", denied="SBOMDenied", absent="ImageNotFound"),
        connect(context, image.repository) as registry,
    ):
        attach(registry, image.repository.name, manifest.descriptor, bill, media_type, {})
