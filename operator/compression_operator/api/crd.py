"""The CustomResourceDefinition of a kind: names, columns and schema.

Source: apiextensions.k8s.io/v1.
"""

from __future__ import annotations

from typing import Any

from compression_contract.keys import GROUP, VERSION
from compression_operator.api.base import Column, KindInfo, Resource
from compression_operator.api.schema import structural


def custom_resource_definition(kind: type[Resource]) -> dict[str, Any]:
    """The CRD of a kind as the API server stores it."""
    info = kind.info
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{info.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": info.scope,
            "names": _names(info),
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in info.columns],
                    "schema": {"openAPIV3Schema": _root_schema(kind)},
                }
            ],
        },
    }


def _names(info: KindInfo) -> dict[str, Any]:
    return {
        "kind": info.kind,
        "listKind": f"{info.kind}List",
        "plural": info.plural,
        "singular": info.kind.lower(),
        "shortNames": [info.short_name],
        "categories": list(info.categories),
    }


def _column(column: Column) -> dict[str, Any]:
    parts = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    return parts | ({"priority": column.priority} if column.priority else {})


def _root_schema(kind: type[Resource]) -> dict[str, Any]:
    properties = structural(kind)["properties"]
    spec, status = properties["spec"], properties["status"]
    # Status starts absent: a default would be written into every new object.
    status.pop("default", None)
    root: dict[str, Any] = {"description": kind.info.description, "type": "object", "required": ["spec"]}
    if kind.info.root_rules:
        root["x-kubernetes-validations"] = [rule.as_dict() for rule in kind.info.root_rules]
    root["properties"] = {
        "apiVersion": {
            "description": "Version of this representation of the object, such as "
            "compression.modelops.dev/v1alpha1.",
            "type": "string",
        },
        "kind": {"description": "Kind of the object.", "type": "string"},
        "metadata": {"type": "object"},
        "spec": spec,
        "status": status,
    }
    return root
