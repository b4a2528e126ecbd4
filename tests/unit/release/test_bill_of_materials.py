"""A bill of materials that is the same each time."""

import json
import uuid

import pytest

from compression_jobs.sbom import reproducible_cyclonedx, reproducible_spdx

IMAGE = "registry.example.com/x@sha256:" + "a" * 64


def cyclonedx(*, order: int = 1, name: str = "debian") -> bytes:
    """As Trivy writes it: random references for what has no package URL, in whatever order these give."""
    system, application = str(uuid.uuid4()), str(uuid.uuid4())
    components = [
        {"bom-ref": system, "type": "operating-system", "name": name, "version": "12"},
        {"bom-ref": application, "type": "application", "name": "requirements.txt"},
        {
            "bom-ref": "pkg:deb/debian/bash@5",
            "type": "library",
            "name": "bash",
            "purl": "pkg:deb/debian/bash@5",
        },
    ]
    dependencies = [
        {"ref": "root", "dependsOn": [system, application][::order]},
        {"ref": system, "dependsOn": ["pkg:deb/debian/bash@5"]},
        {"ref": application, "dependsOn": []},
    ]
    return json.dumps(
        {
            "bomFormat": "CycloneDX",
            "serialNumber": f"urn:uuid:{uuid.uuid4()}",
            "metadata": {"timestamp": str(uuid.uuid4()), "component": {"bom-ref": "root"}},
            "components": components[::order],
            "dependencies": dependencies[::order],
            "vulnerabilities": [{"id": "CVE-1"}],
        }
    ).encode()


def test_random_references_and_their_order_do_not_change_a_cyclonedx_bill():
    assert reproducible_cyclonedx(cyclonedx(), IMAGE) == reproducible_cyclonedx(cyclonedx(order=-1), IMAGE)


def test_other_content_and_another_image_do():
    bills = {
        reproducible_cyclonedx(cyclonedx(), IMAGE),
        reproducible_cyclonedx(cyclonedx(name="alpine"), IMAGE),
        reproducible_cyclonedx(cyclonedx(), IMAGE.replace("a" * 64, "b" * 64)),
    }
    assert len(bills) == 3


def test_every_dependency_still_names_a_component():
    bill = json.loads(reproducible_cyclonedx(cyclonedx(), IMAGE))
    references = {component["bom-ref"] for component in bill["components"]}
    assert len(references) == 3
    named = {one for dependency in bill["dependencies"] for one in dependency["dependsOn"]}
    assert named == references
    assert "vulnerabilities" not in bill
    assert "timestamp" not in bill["metadata"]


def test_an_spdx_bill_has_no_hour_and_a_namespace_of_its_image():
    def spdx(moment: str) -> bytes:
        document = {
            "spdxVersion": "SPDX-2.3",
            "documentNamespace": f"http://x/{uuid.uuid4()}",
            "creationInfo": {"created": moment, "creators": ["Tool: trivy"]},
            "packages": [{"name": "bash", "annotations": [{"annotationDate": moment}]}],
        }
        return json.dumps(document).encode()

    first, second = (reproducible_spdx(spdx(moment), IMAGE) for moment in ("2026", "2027"))
    assert first == second
    assert json.loads(first)["packages"][0]["name"] == "bash"


@pytest.mark.parametrize("raw", [b"[]", b"{}", b"", b"\xff"])
def test_what_is_no_bill_is_refused(raw):
    for read in (reproducible_cyclonedx, reproducible_spdx):
        with pytest.raises(ValueError, match=r".+"):
            read(raw, IMAGE)
