"""Foundations of every API model: frozen, camelCase on the wire, with CEL rules beside the fields they guard.

Owns the group's name, the base classes and the markers that end up in the CRD schema. Knows no kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True)
class Rule:
    """One CEL rule of the API server, for a field (in `Annotated`) or a model (in `rules`).

    Source: Kubernetes, "CustomResourceDefinition validation rules". `message_expression` is CEL as well and
    wins over `message`; `field_path` and `reason` shape the error a user sees.
    """

    rule: str
    message: str = ""
    message_expression: str = ""
    field_path: str = ""
    reason: Literal["", "FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired"] = ""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Append this rule to the schema of the annotated field."""
        schema = dict(handler(core_schema))
        schema[VALIDATIONS] = [*schema.get(VALIDATIONS, []), self.as_dict()]
        return schema

    def as_dict(self) -> dict[str, str]:
        """The rule as the API server spells it, empty parts left out."""
        parts = {
            "rule": self.rule,
            "message": self.message,
            "messageExpression": self.message_expression,
            "fieldPath": self.field_path,
            "reason": self.reason,
        }
        return {key: value for key, value in parts.items() if value}


@dataclass(frozen=True)
class Extra:
    """Further keys for the schema of the annotated field, such as a list's merge type."""

    keys: tuple[tuple[str, Any], ...]

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the keys to the schema of the annotated field."""
        return {**handler(core_schema), **dict(self.keys)}


def map_list(key: str) -> Extra:
    """Marks a list whose items are told apart by `key`: server-side apply merges it item by item."""
    return Extra((("x-kubernetes-list-type", "map"), ("x-kubernetes-list-map-keys", (key,))))


SET_LIST = Extra((("x-kubernetes-list-type", "set"),))
"""Marks a list without order and without duplicates."""


@dataclass(frozen=True)
class Opaque:
    """Marks an object that the CRD keeps as it is, whatever Python type reads it."""

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """An object with any content."""
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


OPAQUE = Opaque()


class ApiModel(BaseModel):
    """Base of every value in the API: frozen; camelCase on the wire; unknown keys are left aside.

    Unknown keys are ignored, not refused: the API server already refused or pruned them, and an operator must
    read objects that a newer version of itself has written.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        extra="ignore",
        defer_build=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the model's own rules to its schema."""
        reference = handler(core_schema)
        if cls.rules:
            handler.resolve_ref_schema(reference)[VALIDATIONS] = [rule.as_dict() for rule in cls.rules]
        return reference

    def to_dict(self) -> dict[str, Any]:
        """The value as JSON-ready data in wire spelling; absent optional fields are left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; `priority` 1 shows with `-o wide` only."""

    name: str
    json_path: str
    type: Literal["string", "integer", "date", "boolean"] = "string"
    description: str = ""
    priority: Literal[0, 1] = 0


@dataclass(frozen=True)
class KindInfo:
    """What a CRD says of a kind beside its schema."""

    kind: str
    plural: str
    short_name: str
    scope: Literal["Namespaced", "Cluster"]
    categories: tuple[str, ...]
    columns: tuple[Column, ...]
    description: str
    root_rules: tuple[Rule, ...] = ()


class Resource(ApiModel):
    """Base of the five kinds; `info` describes the CRD, `parse` reads what the API server returned."""

    info: ClassVar[KindInfo]

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> Self:
        """Read an object of the API server.

        Raises:
            pydantic.ValidationError: the object does not fit the schema of this version.
        """
        return cls.model_validate(obj)
