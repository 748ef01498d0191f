"""Texts in the form that a request asks for."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from proving_ground.fleet.factories.formats import UnsupportedSchemaError, text_for
from proving_ground.fleet.factories.tokens import generator

PLACE = {"type": "object", "properties": {"place": {"enum": ["Paris", "Rome"]}, "warm": {"type": "boolean"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        PLACE,
        {"type": "object", "required": ["x"], "additionalProperties": {"type": "object"}},
        {"type": "array", "items": PLACE, "minItems": 3},
        {"type": ["string", "null"], "minLength": 9},
        {"type": "integer", "minimum": 100},
        {"const": [1, None]},
        {"anyOf": [{"type": "number"}, {"type": "null"}]},
    ],
)
def test_a_text_is_what_the_schema_allows(schema: dict[str, Any]) -> None:
    for seed in range(5):
        made = json.loads(text_for(schema, generator("q", seed)))
        jsonschema.Draft202012Validator(schema).validate(made)


def test_the_same_source_makes_the_same_text_and_another_can_make_another() -> None:
    assert text_for(PLACE, generator("q", 1)) == text_for(PLACE, generator("q", 1))
    assert len({text_for(PLACE, generator("q", seed)) for seed in range(20)}) > 1


DEEP: dict[str, Any] = {"type": "string"}
for _ in range(8):
    DEEP = {"type": "array", "items": DEEP, "minItems": 30}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "pizza"}, "not supported"),
        ({"type": "string", "pattern": "^[0-9]+$"}, "not supported"),
        ({"type": "string", "minLength": 10**9}, "not supported"),
        ({"type": "array", "minItems": 10**9}, "asks for too much"),
        (DEEP, "asks for too much"),
    ],
)
def test_what_cannot_be_made_is_refused(schema: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedSchemaError, match=told):
        text_for(schema, generator("q", 1))
