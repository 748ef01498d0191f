"""The event log (JSON lines) that each pytest process writes, and that results are merged from.

One line is one event. The log is complete when its last line is ``finished``; without it the
process died, and every check that did not end is an error.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, TypeAdapter

from proving_ground.contracts.base import Contract

Outcome = Literal["passed", "failed", "error", "skipped"]


class Attachment(Contract):
    """Diagnostics of a check: a name, and text or a path relative to the artifacts directory."""

    name: str
    text: str = ""
    path: str | None = None


SERIES_LIMIT = 8
POINTS_LIMIT = 2000
BANDS_LIMIT = 4
MARKS_LIMIT = 50


class PlotBand(Contract):
    """Where values should lie: an area over the whole width of a plot."""

    name: str
    lower: FiniteFloat
    upper: FiniteFloat


class PlotMark(Contract):
    """A place of a plot where something happened, such as a change of the level."""

    x: FiniteFloat
    y: FiniteFloat | None = Field(default=None, description="Value there; absent: it is a time and no value.")
    label: str = Field(description="What happened, in one line: it is also told beside the plot.")


class Plot(Contract):
    """What a check measured over time, or over something else, for people to see: a line for each series."""

    name: str
    x: str = Field(default="seconds", description="What the first number of a point is, with its unit.")
    y: str = Field(default="", description="What the second number of a point is, with its unit.")
    series: dict[str, Annotated[list[tuple[FiniteFloat, FiniteFloat]], Field(max_length=POINTS_LIMIT)]] = Field(
        default={}, max_length=SERIES_LIMIT, description="Name -> its points; the order is that of the line."
    )
    left_out: list[str] = Field(default=[], description="Names of series for which there was no place.")
    bands: list[PlotBand] = Field(default=[], max_length=BANDS_LIMIT, description="Where values should lie.")
    marks: list[PlotMark] = Field(default=[], max_length=MARKS_LIMIT, description="What happened where.")


class Collected(Contract):
    """A check was selected and will end as exactly one outcome."""

    event: Literal["collected"] = "collected"
    time: dt.datetime
    check: str = Field(description="Check id: <suite>/<name>, outlives moves.")
    suite: str
    nodeid: str
    marks: list[str] = []
    description: str = ""
    parameters: dict[str, object] = {}


class NotSelected(Contract):
    """A check exists but was not selected, and why."""

    event: Literal["not_selected"] = "not_selected"
    time: dt.datetime
    check: str
    suite: str
    reason: Literal["capability", "mark", "system", "option"]
    detail: str = Field(default="", description="For example the missing capability.")


class Started(Contract):
    """A check began."""

    event: Literal["started"] = "started"
    time: dt.datetime
    check: str


class Ended(Contract):
    """A check ended."""

    event: Literal["ended"] = "ended"
    time: dt.datetime
    check: str
    outcome: Outcome
    duration: float = Field(ge=0, description="Seconds from start to end, waiting for a turn excluded.")
    message: str = Field(default="", description="First line of the failure, or the reason of a skip.")
    detail: str = Field(default="", description="The whole failure text.")
    reason_code: str = Field(default="", description="Reason code of a skip.")
    infrastructure: bool = Field(default=False, description="Whether an error is the platform's, not the check's.")
    metrics: dict[str, float] = {}
    properties: dict[str, str] = {}
    attachments: list[Attachment] = []
    plots: list[Plot] = []
    attempts: int = 1


class Noted(Contract):
    """Something happened that belongs on the timeline: a scale event, a disturbance, an operation."""

    event: Literal["noted"] = "noted"
    time: dt.datetime
    kind: str
    subject: str
    detail: str = ""
    check: str = ""


class Finished(Contract):
    """The process ended by itself."""

    event: Literal["finished"] = "finished"
    time: dt.datetime
    exit_status: int = Field(description="pytest's own exit status.")
    problem: str = Field(default="", description="First line of a usage, collection or internal error.")
    configuration: bool = Field(default=False, description="Whether that problem is one of configuration.")


Event = Annotated[Collected | NotSelected | Started | Ended | Noted | Finished, Field(discriminator="event")]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
