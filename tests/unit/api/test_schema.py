"""From pydantic's JSON schema to a structural one, and the generated files."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from compression_operator.api import KINDS
from compression_operator.api.base import OPAQUE, SET_LIST, ApiModel, Rule, map_list
from compression_operator.api.crd import custom_resource_definition
from compression_operator.api.generate import ROOT, files, main
from compression_operator.api.scalars import Duration, Quantity
from compression_operator.api.schema import structural


class Inner(ApiModel):
    """An inner model."""

    rules = (Rule("self.a > 0", "a must be positive"),)

    a: Annotated[int, Field(gt=0, lt=10, description="A number.")] = 1
    b: Annotated[str | None, Field(max_length=3, description="A text.")] = None
    wait: Annotated[Duration, Field(description="A time.")] = timedelta(minutes=90)


class Outer(ApiModel):
    """An outer model."""

    inner: Annotated[Inner, Field(description="Here."), Rule("self == oldSelf", "stays")] = Inner(a=2)
    maybe: Annotated[Inner | None, Field(description="Perhaps.")] = None
    one: Annotated[Literal["X"], Field(description="One.")] = "X"
    names: Annotated[tuple[str, ...], SET_LIST, Field(max_length=2, description="Names.")] = ()
    entries: Annotated[tuple[Inner, ...], map_list("a"), Field(max_length=2, description="Entries.")]
    plain: Annotated[tuple[int, ...] | None, Field(max_length=2, description="Numbers.")] = None
    size: Annotated[Quantity | None, Field(description="A size.")] = None
    sizes: Annotated[dict[str, Quantity], Field(max_length=2, description="Sizes.")] = {}
    anything: Annotated[dict[str, Any] | None, OPAQUE, Field(description="Anything.")] = None


@pytest.fixture(scope="module")
def properties():
    return structural(Outer)["properties"]


def test_a_reference_is_resolved_and_rules_of_model_and_field_are_joined(properties):
    inner = properties["inner"]
    assert inner["description"] == "Here."
    assert [rule["message"] for rule in inner["x-kubernetes-validations"]] == ["a must be positive", "stays"]


def test_a_default_is_written_out_in_full(properties):
    assert properties["inner"]["default"] == {"a": 2, "wait": "1h30m"}
    assert properties["inner"]["properties"]["wait"]["default"] == "1h30m"


def test_an_optional_field_has_neither_null_nor_default(properties):
    maybe = properties["maybe"]
    assert maybe["type"] == "object"
    assert maybe["description"] == "Perhaps."
    assert "default" not in maybe
    assert "default" not in properties["plain"]


def test_exclusive_bounds_are_flags(properties):
    number = properties["inner"]["properties"]["a"]
    assert number == {
        "description": "A number.",
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "exclusiveMinimum": True,
        "maximum": 10,
        "exclusiveMaximum": True,
        "default": 1,
    }


def test_a_single_literal_is_an_enum(properties):
    assert properties["one"]["enum"] == ["X"]


@pytest.mark.parametrize(("name", "merge"), [("names", "set"), ("entries", "map"), ("plain", "atomic")])
def test_each_list_says_how_it_merges(properties, name, merge):
    assert properties[name]["x-kubernetes-list-type"] == merge


def test_a_map_list_names_its_key(properties):
    assert properties["entries"]["x-kubernetes-list-map-keys"] == ["a"]


def test_quantities_are_integers_or_strings(properties):
    for schema in (properties["size"], properties["sizes"]["additionalProperties"]):
        assert schema["x-kubernetes-int-or-string"] is True
        assert "type" not in schema


def test_an_opaque_object_keeps_everything(properties):
    assert properties["anything"] == {
        "description": "Anything.",
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    }


def test_a_union_of_types_is_an_error_of_the_author():
    class Wrong(ApiModel):
        """No structural schema."""

        value: int | str

    with pytest.raises(TypeError, match="no unions of types"):
        structural(Wrong)


def _fields(schema, path=""):
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from _fields(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield f"{path}[]", schema[key]
            yield from _fields(schema[key], f"{path}[]")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.info.kind)
def test_everything_that_can_grow_is_bounded(kind):
    schema = custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    unbounded = [
        path
        for path, field in _fields({"properties": {k: schema["properties"][k] for k in ("spec", "status")}})
        if (field.get("type") == "array" and "maxItems" not in field)
        or ("additionalProperties" in field and "maxProperties" not in field)
        or (field.get("type") == "string" and not {"maxLength", "enum"} & field.keys())
    ]
    assert unbounded == []


def test_the_generated_files_are_what_the_models_say(capsys):
    assert main(["--check"]) == 0, capsys.readouterr().out


def test_a_file_that_differs_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("compression_operator.api.generate.ROOT", tmp_path)
    assert main([]) == 0
    assert main(["--check"]) == 0
    path = next(iter(files()))
    (tmp_path / path).write_text("something else")
    capsys.readouterr()
    assert main(["--check"]) == 1
    assert str(path) in capsys.readouterr().out
    assert tmp_path != ROOT


def test_a_crd_can_still_be_applied_with_kubectls_annotation():
    sizes = {path.name: len(text) for path, text in files().items() if path.parts[0] == "crds"}
    # kubectl apply without --server-side stores the manifest as JSON in an annotation of at most 256 KiB.
    assert all(size < 256 * 1024 for size in sizes.values()), sizes
