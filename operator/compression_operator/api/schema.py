"""Turns pydantic's JSON schema into the structural OpenAPI v3 schema that a CRD wants.

Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions", "Specifying a structural
schema". The API server refuses `$ref`, `const`, types inside `anyOf`, and numeric exclusive bounds; it runs
rules on a literal `default: {}` before nested defaults are filled in, so that every default is written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from compression_operator.api.base import VALIDATIONS
from compression_operator.api.scalars import format_duration

Schema = dict[str, Any]

_KEY_ORDER = (
    "description",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "anyOf",
    "format",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "default",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    VALIDATIONS,
    "required",
    "properties",
    "items",
    "additionalProperties",
)


class _Generator(GenerateJsonSchema):
    """Spells the default of a duration as users do; pydantic's own way is ISO 8601."""

    def encode_default(self, dft: Any) -> Any:
        """The default as JSON."""
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, every reference resolved and every default written out."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    return _convert(schema, schema.get("$defs", {}))


def _convert(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    flat = _bounds(_flatten(node, definitions))
    if "const" in flat:
        flat["enum"] = [flat.pop("const")]
    if flat.get("type") == "integer":
        flat.setdefault("format", "int64")
    if flat.get("type") == "array":
        flat.setdefault("x-kubernetes-list-type", "atomic")
    if "default" in flat:
        default = _without_null(flat.pop("default"))
        if default is not None:
            flat["default"] = default
    if "properties" in flat:
        flat["properties"] = {
            name: _convert(child, definitions) for name, child in flat["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(flat.get(key), Mapping):
            flat[key] = _convert(flat[key], definitions)
    return {key: _plain(flat[key]) for key in _KEY_ORDER if key in flat}


def _flatten(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Resolve `$ref` and the `anyOf` of an optional field; what stands beside them wins."""
    outer = dict(node)
    inner: Mapping[str, Any] = {}
    if "$ref" in outer:
        inner = definitions[outer.pop("$ref").rsplit("/", 1)[-1]]
    elif "x-kubernetes-int-or-string" not in outer and "anyOf" in outer:
        choices = [choice for choice in outer.pop("anyOf") if choice.get("type") != "null"]
        if len(choices) != 1:
            raise TypeError(f"a structural schema has no unions of types: {choices}")
        inner = choices[0]
    if not inner:
        return outer
    resolved = _flatten(inner, definitions)
    rules = [*resolved.get(VALIDATIONS, []), *outer.get(VALIDATIONS, [])]
    return {**resolved, **outer, **({VALIDATIONS: rules} if rules else {})}


def _bounds(schema: Schema) -> Schema:
    """Write exclusive bounds as OpenAPI v3.0 does: a bound and a flag."""
    for exclusive, inclusive in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in schema:
            schema[inclusive], schema[exclusive] = schema[exclusive], True
    return schema


def _without_null(value: Any) -> Any:
    """The value without null members: an absent optional field has no default."""
    if isinstance(value, Mapping):
        return {key: _without_null(child) for key, child in value.items() if child is not None}
    if isinstance(value, list | tuple):
        return [_without_null(child) for child in value]
    return value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
