"""timeline.jsonl: every phase, check, scale event and disturbance on one clock."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from proving_ground.contracts.base import Contract


class Entry(Contract):
    """One line of the timeline."""

    time: dt.datetime = Field(description="UTC.")
    elapsed: float = Field(description="Seconds since the start of the run.")
    kind: str = Field(description="phase, suite, check, scale, disturbance, fault, ...")
    subject: str
    event: str = Field(description="started, ended, noted")
    outcome: str = ""
    detail: str = ""
