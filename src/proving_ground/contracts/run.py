"""run.json: what was asked of a run, and where it is."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from proving_ground.contracts.base import Contract


class Run(Contract):
    """The whole of run.json; it holds no secret, extra variables by name only."""

    schema_version: Literal[1] = 1
    run_id: str
    stage: str
    inventory: str
    started: dt.datetime
    expires: dt.datetime
    proving_ground_version: str
    options: dict[str, object] = {}
    revision: str = ""
