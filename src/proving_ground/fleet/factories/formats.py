"""Texts in the form that a request asks for: JSON, or what a JSON Schema allows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

_MOST = 1000
"""Values in one text, and words in one of its strings."""
_WORD = "word"


class UnsupportedSchemaError(ValueError):
    """A schema that no text can be made for."""


def text_for(schema: dict[str, Any], source: random.Random) -> str:
    """Return JSON that a schema allows.

    Args:
        schema: A JSON Schema.
        source: What chooses.

    Raises:
        UnsupportedSchemaError: It is none, asks for too much, or for what is not made here, such as a pattern.
    """
    import jsonschema  # type: ignore[import-untyped]  # noqa: PLC0415 -- costs time, and few ask for a form

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        made = _Maker(source).make(schema)
        jsonschema.Draft202012Validator(schema).validate(made)
    except (jsonschema.SchemaError, jsonschema.ValidationError) as error:
        raise UnsupportedSchemaError(f"The schema is not supported: {error.message}") from error
    return json.dumps(made)


class _Maker:
    """Makes a value for a schema that is one; whether it is allowed has to be asked."""

    def __init__(self, source: random.Random) -> None:
        self._source = source
        self._left = _MOST

    def make(self, schema: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise UnsupportedSchemaError("The schema asks for too much.")
        if isinstance(schema, bool):
            return {}
        if "const" in schema:
            return schema["const"]
        if options := schema.get("enum"):
            return self._source.choice(options)
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self.make(self._source.choice(options))
        kind = schema.get("type", "object")
        return self._of_type(kind if isinstance(kind, str) else kind[0], schema)

    def _of_type(self, kind: str, schema: dict[str, Any]) -> Any:
        if kind == "object":
            properties = dict.fromkeys(schema.get("required", ()), True) | schema.get("properties", {})
            return {name: self.make(inner) for name, inner in properties.items()}
        if kind == "array":
            return [self.make(schema.get("items", True)) for _ in range(schema.get("minItems", 1))]
        if kind == "string":
            return _WORD * max(1, min(_MOST, -(-schema.get("minLength", 1) // len(_WORD))))
        if kind in {"integer", "number"}:
            return schema.get("minimum", self._source.randint(0, 9))
        return self._source.choice((False, True)) if kind == "boolean" else None
