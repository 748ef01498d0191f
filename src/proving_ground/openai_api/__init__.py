"""The OpenAI API as a client sees it: requests, streams, schemas, and verdicts on what a server answers."""

from __future__ import annotations

from proving_ground.openai_api.client import Answer, Client, RequestError, Stream
from proving_ground.openai_api.conformity import Finding, Verdict, judge
from proving_ground.openai_api.events import DONE, Event, EventParser

__all__ = [
    "DONE",
    "Answer",
    "Client",
    "Event",
    "EventParser",
    "Finding",
    "RequestError",
    "Stream",
    "Verdict",
    "judge",
]
