"""A bill of materials that is the same each time it is made of the same image.

Owns what is taken out of Trivy's documents: random identifiers and the hour. Must not know registries or S3.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import Any, Final

from compression_contract.base import canonical_json

CYCLONEDX: Final = "application/vnd.cyclonedx+json"
SPDX: Final = "application/spdx+json"
_EPOCH: Final = "1970-01-01T00:00:00Z"
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def reproducible_cyclonedx(raw: bytes, image: str) -> bytes:
    """A CycloneDX document with stable identifiers and order, and without the hour.

    Findings are left out: they change with the database, the materials do not; the report has them.

    Args:
        raw: the document as Trivy wrote it.
        image: the image by digest; identifiers are derived from it.

    Raises:
        ValueError: `raw` is not a CycloneDX document.
    """
    document = _object(raw)
    if document.get("bomFormat") != "CycloneDX":
        raise ValueError("the bill of materials is not CycloneDX")
    document.pop("vulnerabilities", None)
    document.get("metadata", {}).pop("timestamp", None)
    components = sorted(document.get("components", ()), key=_identity)
    names: dict[str, str] = {}
    for position, component in enumerate(components):
        reference = str(component.get("bom-ref", ""))
        if _UUID.fullmatch(reference):
            names[reference] = _stable(image, f"component/{position}")
    document["components"] = components
    document["serialNumber"] = f"urn:uuid:{_stable(image, 'serial')}"
    text = canonical_json(document).decode()
    text = _UUID.sub(lambda match: names.get(match.group(), match.group()), text)
    renamed = json.loads(text)
    for dependency in renamed.get("dependencies", ()):
        dependency.get("dependsOn", []).sort()
    renamed.get("dependencies", []).sort(key=lambda dependency: str(dependency.get("ref")))
    return canonical_json(renamed)


def reproducible_spdx(raw: bytes, image: str) -> bytes:
    """An SPDX 2.3 JSON document with a stable namespace and without the hour.

    Raises:
        ValueError: `raw` is not an SPDX document.
    """
    document = _object(raw)
    if "spdxVersion" not in document:
        raise ValueError("the bill of materials is not SPDX")
    document["documentNamespace"] = f"urn:uuid:{_stable(image, 'namespace')}"
    document.setdefault("creationInfo", {})["created"] = _EPOCH
    for package in document.get("packages", ()):
        # Trivy dates an annotation with the moment of the scan.
        for annotation in package.get("annotations", ()):
            annotation["annotationDate"] = _EPOCH
    return canonical_json(document)


def _object(raw: bytes) -> dict[str, Any]:
    document = json.loads(raw)
    if not isinstance(document, dict):
        raise ValueError("the bill of materials is not a JSON object")  # noqa: TRY004 - what is wrong is a value
    return document


def _identity(component: dict[str, Any]) -> tuple[str, ...]:
    """What orders components: everything that names one, but no random reference."""
    properties = json.dumps(component.get("properties", ()), sort_keys=True)
    return (*(str(component.get(key, "")) for key in ("type", "name", "version", "purl")), properties)


def _stable(image: str, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{image}#{what}"))
