"""How a mock can fail when it is asked for metrics."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.mocks.answer import JSON, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_DELAY = 30.0
MAX_DELAY = 3600.0

_VALUE = re.compile(rb"^([^#\n].*) \S+$", re.MULTILINE)


class FailureMode(enum.StrEnum):
    """What becomes of a request of a metric endpoint."""

    NONE = "none"
    UNAVAILABLE = "unavailable"
    """The status is 503."""
    RESET = "reset"
    """The connection is reset before an answer."""
    SLOW = "slow"
    """The answer comes after a delay."""
    MALFORMED = "malformed"
    """The status is 200 and the body does not parse."""
    EMPTY = "empty"
    """The status is 200 and the body is empty."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The way in which a mock fails now."""

    mode: FailureMode = FailureMode.NONE
    delay: float = DEFAULT_DELAY
    """Seconds that a slow answer takes."""


def _unavailable(answer: Answer) -> Answer:
    """Return the refusal that stands in for an answer, in the same format."""
    if answer.content_type == JSON:
        return Answer.json(
            {"status": "error", "errorType": "unavailable", "error": "the metrics are switched off"}, 503
        )
    return Answer.text("the metrics are switched off\n", 503)


def _malformed(answer: Answer) -> Answer:
    """Return an answer with a body that does not parse: numbers that are none, or half of a JSON document."""
    body = answer.body
    if answer.content_type == JSON:
        return Answer(answer.status, answer.content_type, body[: len(body) // 2])
    return Answer(answer.status, answer.content_type, _VALUE.sub(rb"\1 not-a-number", body))


def _empty(answer: Answer) -> Answer:
    """Return an answer without its body."""
    return Answer(answer.status, answer.content_type, b"")


SPOILT: Mapping[FailureMode, Callable[[Answer], Answer]] = {
    FailureMode.UNAVAILABLE: _unavailable,
    FailureMode.MALFORMED: _malformed,
    FailureMode.EMPTY: _empty,
}
"""The modes that make another answer of the right one."""
