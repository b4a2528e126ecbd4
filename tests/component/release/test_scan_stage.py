"""Scanning with a real Trivy server, a real registry and an image whose packages are known."""

import json

import pytest

from component.release.trivy_process import (
    CRITICAL,
    HIGH,
    LOW_UNFIXED,
    UPDATED,
    RunningTrivy,
    trivy_server,
)
from component.release.world import World, push_base
from compression_contract.base import digest_of
from compression_contract.inputs import ScanException, ScanInput
from compression_jobs.errors import Denied, InvalidInput, NotFound, Unavailable
from compression_jobs.registry import ImageReference, referrers
from compression_jobs.stages import scan

OS_RELEASE = b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
PACKAGES = [
    ("zlib1g", "zlib", "1:1.2.13.dfsg-1"),
    ("bash", "bash", "5.2.15-2"),
    ("openssl", "openssl", "3.0.11-1"),
]
FOREVER, PAST = "2999-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


def dpkg_status() -> bytes:
    installed = "Status: install ok installed\nArchitecture: amd64"
    entries = [
        f"Package: {name}\n{installed}\nSource: {source}\nVersion: {version}\n"
        for name, source, version in PACKAGES
    ]
    return "\n".join(entries).encode()


@pytest.fixture(scope="module")
def scanner(tmp_path_factory) -> RunningTrivy:
    with trivy_server(tmp_path_factory.mktemp("trivy")) as running:
        yield running


@pytest.fixture
def image(world: World) -> str:
    files = {
        "/etc/os-release": OS_RELEASE,
        "/etc/debian_version": b"12.4\n",
        "/var/lib/dpkg/status": dpkg_status(),
    }
    return push(world, "team/scanned", files)


def push(world: World, name: str, files: dict[str, bytes]) -> str:
    with world.client(world.repository(name)) as client:
        manifest = push_base(client, name, world.folder / name.replace("/", "-"), files)
    return f"{world.repository(name)}@{manifest.digest}"


def exception(identifier: str, expires: str = FOREVER, purl: str = "") -> ScanException:
    return ScanException(id=identifier, purl=purl, reason="not reachable", expires=expires)


def counts(facts) -> dict[str, int]:
    return {name: number for name, number in facts.counts.wire().items() if number}


def test_findings_are_counted_by_severity_with_their_circumstances(world, scanner, image):
    outcome = scan.run(world.context(ScanInput(image=image, server=scanner.url)))
    facts = outcome.facts
    assert counts(facts) == {"critical": 1, "high": 1, "low": 1}
    assert (facts.unfixed, facts.suppressed, facts.expired_exceptions) == (1, 0, ())
    assert (facts.os_family, facts.os_name, facts.end_of_life) == ("debian", "12.4", False)
    assert facts.image_digest == image.split("@")[1]
    assert facts.database_updated_at == UPDATED
    assert facts.scanner.startswith("trivy 0.")
    report = json.loads((outcome.output.folder / "report.json").read_bytes())
    assert report["ArtifactName"] == image
    assert digest_of((outcome.output.folder / "report.json").read_bytes()) == facts.report_digest
    assert digest_of((outcome.output.folder / "sbom.cdx.json").read_bytes()) == facts.sbom_digest


def test_unfixed_findings_can_be_left_out_of_the_counts_but_not_out_of_sight(world, scanner, image):
    facts = scan.run(world.context(ScanInput(image=image, server=scanner.url, ignore_unfixed=True))).facts
    assert counts(facts) == {"critical": 1, "high": 1}
    assert facts.unfixed == 1


@pytest.mark.parametrize(
    ("accepted", "left", "circumstances"),
    [
        ([exception(CRITICAL)], {"high": 1, "low": 1}, (1, ())),
        ([exception(CRITICAL, purl="pkg:deb/debian/zlib1g")], {"high": 1, "low": 1}, (1, ())),
        ([exception(CRITICAL, purl="pkg:deb/debian/bash")], {"critical": 1, "high": 1, "low": 1}, (0, ())),
        ([exception(CRITICAL, PAST)], {"critical": 1, "high": 1, "low": 1}, (0, (CRITICAL,))),
        ([exception(HIGH), exception(LOW_UNFIXED, PAST)], {"critical": 1, "low": 1}, (1, (LOW_UNFIXED,))),
    ],
    ids=["whole id", "its package", "another package", "expired", "one of each"],
)
def test_an_exception_suppresses_what_it_names_until_its_day(
    world, scanner, image, accepted, left, circumstances
):
    given = ScanInput(image=image, server=scanner.url, exceptions=accepted)
    facts = scan.run(world.context(given)).facts
    assert counts(facts) == left
    assert (facts.suppressed, facts.expired_exceptions) == circumstances


def test_an_unknown_operating_system_is_reported_as_such(world, scanner):
    image = push(world, "team/no-os", {"/opt/x": b"x"})
    facts = scan.run(world.context(ScanInput(image=image, server=scanner.url))).facts
    assert (facts.os_family, facts.os_name, facts.end_of_life) == ("", "", None)
    assert counts(facts) == {}


def test_an_operating_system_past_its_end_of_life_is_reported_as_such(world, scanner):
    release = OS_RELEASE.replace(b"12", b"8").replace(b"bookworm", b"jessie")
    files = {
        "/etc/os-release": release,
        "/etc/debian_version": b"8.11\n",
        "/var/lib/dpkg/status": dpkg_status(),
    }
    facts = scan.run(world.context(ScanInput(image=push(world, "team/old", files), server=scanner.url))).facts
    assert (facts.os_family, facts.end_of_life) == ("debian", True)


def test_the_bill_of_materials_is_attached_once_however_often_the_image_is_scanned(world, scanner, image):
    given = ScanInput(image=image, server=scanner.url)
    first, second = (scan.run(world.context(given)).facts for _ in range(2))
    assert first.sbom_digest == second.sbom_digest
    reference = ImageReference.parse(image)
    name = reference.repository.name
    with world.client(str(reference.repository)) as client:
        found = referrers(client, name, reference.digest)
        assert [entry.artifact_type for entry in found] == ["application/vnd.cyclonedx+json"]
        artifact = client.manifest(name, found[0].digest)
        assert artifact.layers[0].digest == first.sbom_digest
        bill = json.loads(client.blob(name, first.sbom_digest, 1 << 20))
    names = {component["name"] for component in bill["components"]}
    assert {package for package, _, _ in PACKAGES} <= names
    assert "vulnerabilities" not in bill


def test_an_spdx_bill_is_the_same_each_time_and_can_stay_unattached(world, scanner, image):
    given = ScanInput(image=image, server=scanner.url, sbom_format="SPDX", attach_sbom=False)
    outcomes = [scan.run(world.context(given)) for _ in range(2)]
    assert outcomes[0].facts.sbom_digest == outcomes[1].facts.sbom_digest
    document = json.loads((outcomes[0].output.folder / "sbom.spdx.json").read_bytes())
    assert {package for package, _, _ in PACKAGES} <= {package["name"] for package in document["packages"]}


def test_files_in_the_image_or_variables_of_ours_do_not_change_what_is_found(world, scanner, monkeypatch):
    files = {
        "/etc/os-release": OS_RELEASE,
        "/etc/debian_version": b"12.4\n",
        "/var/lib/dpkg/status": dpkg_status(),
        "/.trivyignore": CRITICAL.encode(),
    }
    monkeypatch.setenv("TRIVY_SEVERITY", "LOW")
    monkeypatch.setenv("TRIVY_IGNORE_UNFIXED", "true")
    image = push(world, "team/hostile", files)
    facts = scan.run(world.context(ScanInput(image=image, server=scanner.url))).facts
    assert counts(facts) == {"critical": 1, "high": 1, "low": 1}


def test_an_unreachable_scanner_can_be_tried_again(world, image):
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9") as unavailable:
        scan.run(world.context(ScanInput(image=image, server="http://127.0.0.1:9")))
    assert unavailable.value.reason == "ScannerUnavailable"


def test_an_absent_image_is_named(world, scanner):
    absent = f"{world.repository('team/nothing')}@{digest_of(b'x')}"
    with pytest.raises(NotFound) as refused:
        scan.run(world.context(ScanInput(image=absent, server=scanner.url)))
    assert refused.value.reason == "ImageNotFound"


def test_wrong_credentials_are_denied(world, scanner, image):
    wrong = world.with_account(world.registry.docker_config(password="wrong"))
    with pytest.raises(Denied) as refused:
        scan.run(wrong.context(ScanInput(image=image, server=scanner.url)))
    assert refused.value.reason == "PullDenied"


def test_an_exception_without_a_readable_day_is_refused(world, scanner, image):
    given = ScanInput(image=image, server=scanner.url, exceptions=[exception(CRITICAL, "next year")])
    with pytest.raises(InvalidInput, match="2027-01-31T00:00:00Z"):
        scan.run(world.context(given))


def test_the_registrys_password_is_gone_from_the_disk_afterwards(world, scanner, image):
    context = world.context(ScanInput(image=image, server=scanner.url))
    scan.run(context)
    assert not (context.scratch / "trivy/docker/config.json").exists()
