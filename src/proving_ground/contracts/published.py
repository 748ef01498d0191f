"""The JSON schemas of the files that others read or write, made from their contracts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from proving_ground.contracts.events import EVENT
from proving_ground.contracts.gates import Gates
from proving_ground.contracts.platform import Platform
from proving_ground.contracts.results import Results
from proving_ground.contracts.run import Run
from proving_ground.contracts.stages import Stages
from proving_ground.contracts.suite import Suite
from proving_ground.contracts.timeline import Entry

if TYPE_CHECKING:
    from proving_ground.contracts.base import Contract

FILES: dict[str, type[Contract]] = {
    "gates": Gates,
    "platform": Platform,
    "results": Results,
    "run": Run,
    "stages": Stages,
    "suite": Suite,
    "timeline-entry": Entry,
}
"""Name of a schema -> the contract that it is made from; the schema of an event stands beside them."""


def schemas() -> dict[str, str]:
    """Return the published schemas: file name -> JSON text, by JSON Schema 2020-12."""
    made = {name: contract.model_json_schema() for name, contract in FILES.items()}
    made["event"] = EVENT.json_schema()
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {
        f"{name}.schema.json": json.dumps(dialect | schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in made.items()
    }
