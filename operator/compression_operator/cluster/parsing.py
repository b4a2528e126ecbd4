"""From raw objects of our own kinds to their models.

Owns what happens if an object does not fit: a sentence that names the place, since the CRD let it through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from compression_operator.api.base import Resource
from compression_operator.engine.controller import Key, RefusedError

Model = TypeVar("Model", bound=Resource)


def parse(model: type[Model], raw: Mapping[str, Any], key: Key) -> Model:
    """The object as its model.

    Raises:
        RefusedError: it does not fit; only another write to it can change that.
    """
    try:
        return model.parse(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RefusedError(
            "NotUnderstood",
            f"{key.kind} {key.name}: {place}: {first['msg']}; was it stored under another CRD?",
        ) from error
