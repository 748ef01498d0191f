"""Reads the stored JSON texts, of which nothing is believed: each field has its kind and its bounds."""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.learning import moments
from proving_ground.budaiscaler.learning.accuracy import OPEN, RESOLVED, Accuracy, Open, Resolved
from proving_ground.budaiscaler.learning.collection import MOST_HOURS, Collection
from proving_ground.budaiscaler.learning.evidence import WINDOW
from proving_ground.budaiscaler.learning.levels import BLOCK_POINTS, BLOCKS, ONSET_POINTS, USUAL_POINTS, Levels
from proving_ground.budaiscaler.learning.patterns import Pattern, PatternDetector, PatternName
from proving_ground.budaiscaler.learning.prediction import POINTS, Course
from proving_ground.budaiscaler.learning.samples import Sample, is_reading
from proving_ground.budaiscaler.learning.seasonal import HOURS, Season

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST = 1 << 20
"""Characters of one text; a whole ConfigMap is no larger."""
_MOST_COUNT = 10**12
_LAST_MOMENT = 253402300799.0
"""The end of the year 9999."""


class StoredObject:
    """An object within a stored text.

    Args:
        key: Key of the text, for messages.
        fields: The object.
    """

    def __init__(self, key: str, fields: Mapping[str, Any]) -> None:
        self._key = key
        self._fields = fields

    @classmethod
    def parse(cls, key: str, text: str | None) -> StoredObject:
        """Read a text.

        Raises:
            ValueError: There is none, it is too long, or no JSON object.
        """
        if text is None:
            raise ValueError(f"{key}: is missing")
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise ValueError(f"{key}: expected a text of at most {_LONGEST} characters")
        try:
            fields = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{key}: is no JSON: {str(error)[:80]}") from None
        if not isinstance(fields, dict):
            raise ValueError(f"{key}: expected an object")  # noqa: TRY004
        return cls(key, fields)

    def error(self, name: str, expected: str) -> ValueError:
        """Return the error for a field that is not what it should be."""
        return ValueError(f"{self._key}: {name}: {expected}, found {str(self._fields.get(name))[:40]!r}")

    def part(self, name: str) -> StoredObject:
        """Return a field that is an object."""
        value = self._fields.get(name)
        if not isinstance(value, dict):
            raise self.error(name, "expected an object")
        return StoredObject(self._key, value)

    def parts(self, name: str, most: int) -> list[StoredObject]:
        """Return a field that is a list of objects."""
        values = self._list(name, most)
        if not all(isinstance(value, dict) for value in values):
            raise self.error(name, "expected objects")
        return [StoredObject(self._key, value) for value in values]

    def text(self, name: str) -> str:
        """Return a field that is a text."""
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise self.error(name, "expected a text")
        return value

    def flag(self, name: str) -> bool:
        """Return a field that is true or false."""
        value = self._fields.get(name)
        if not isinstance(value, bool):
            raise self.error(name, "expected true or false")
        return value

    def number(self, name: str) -> float:
        """Return a field that is a number."""
        value = _number(self._fields.get(name))
        if value is None:
            raise self.error(name, "expected a number")
        return value

    def optional(self, name: str) -> float | None:
        """Return a field that is a number or null."""
        return None if self.absent(name) else self.number(name)

    def absent(self, name: str) -> bool:
        """Say whether a field is null or not there."""
        return self._fields.get(name) is None

    def whole(self, name: str, most: int = _MOST_COUNT) -> int:
        """Return a field that is a whole number from 0 to the bound."""
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self.error(name, f"expected a whole number from 0 to {most}")
        return value

    def moment(self, name: str) -> float:
        """Return a field that is a moment."""
        try:
            return moments.from_text(self.text(name))
        except (ValueError, OverflowError):
            raise self.error(name, "expected a moment such as 2026-01-05T09:00:00Z") from None

    def rows(self, name: str, most: int, width: int, *, gaps: bool = False) -> list[tuple[Any, ...]]:
        """Return a field that is a list of rows of numbers, which may be null where there are gaps."""
        values = self._list(name, most)
        rows = []
        for value in values:
            if not isinstance(value, list) or len(value) != width:
                raise self.error(name, f"expected rows of {width} numbers")
            row = tuple(_number(cell) for cell in value)
            if any(cell is None and not (gaps and value[place] is None) for place, cell in enumerate(row)):
                raise self.error(name, f"expected rows of {width} numbers")
            rows.append(row)
        return rows

    def numbers(self, name: str, most: int) -> list[float]:
        """Return a field that is a list of numbers."""
        numbers = [_number(value) for value in self._list(name, most)]
        known = [value for value in numbers if value is not None]
        if len(known) != len(numbers):
            raise self.error(name, "expected numbers")
        return known

    def _list(self, name: str, most: int) -> list[Any]:
        value = self._fields.get(name)
        if not isinstance(value, list) or len(value) > most:
            raise self.error(name, f"expected a list of at most {most}")
        return value


def read_season(stored: StoredObject) -> Season:
    """Read the hours of the week."""
    season = Season()
    for part in stored.parts("profiles", HOURS):
        bucket = season.buckets[part.whole("hourOfWeek", HOURS - 1)]
        bucket.mean, bucket.count = part.number("mean"), part.whole("observations")
    return season


def read_course(stored: StoredObject, look_ahead: float) -> Course:
    """Read the newest observations; they are stored in the order of time."""
    rows = stored.rows("recentValues", POINTS, 2)
    _check_moments(stored, "recentValues", rows, lambda row: row[:1])
    if any(later[0] <= earlier[0] for earlier, later in itertools.pairwise(rows)):
        raise stored.error("recentValues", "expected the order of time")
    return Course(look_ahead, [(at, value) for at, value in rows])


def read_detector(stored: StoredObject) -> PatternDetector:
    """Read where the detector was."""
    state = stored.part("detector")
    name, confidence = state.text("pattern"), state.number("confidence")
    if name not in {*PatternName}:
        raise state.error("pattern", "expected a pattern")
    if not 0 <= confidence <= 1:
        raise state.error("confidence", "expected 0 to 1")
    return PatternDetector(
        recent=deque((Sample(*row).usable() for row in stored.rows("recentSamples", WINDOW, 4, gaps=True)), WINDOW),
        levels=Levels(
            [(row[0] or 0.0, row[1]) for row in stored.rows("usualPoints", USUAL_POINTS + ONSET_POINTS, 2, gaps=True)],
            stored.numbers("blockMeans", BLOCKS),
            stored.numbers("blockPending", BLOCK_POINTS),
        ),
        current=Pattern(PatternName(name), confidence),
        points=state.whole("points"),
        running=state.optional("usualRunning"),
        throughput=state.optional("usualThroughput"),
        idle=state.whole("idlePoints"),
        begun=state.whole("begunPoints"),
    )


def read_accuracy(stored: StoredObject) -> Accuracy:
    """Read the forecasts that wait and those that were compared."""
    waiting = stored.rows("openPredictions", OPEN, 4)
    _check_moments(stored, "openPredictions", waiting, lambda row: row[:2])
    resolved = [
        Resolved(
            made_at=part.moment("madeAt"),
            at=part.moment("time"),
            predicted=part.number("predicted"),
            before=part.number("before"),
            actual=part.number("actual"),
        )
        for part in stored.parts("recentPredictions", RESOLVED)
    ]
    return Accuracy(
        open=deque((Open(*row) for row in waiting), OPEN),
        resolved=deque(resolved, RESOLVED),
        total=stored.whole("totalPredictions"),
        calibrated=None if stored.absent("lastCalibration") else stored.moment("lastCalibration"),
        calibration_needed=stored.flag("calibrationNeeded"),
    )


def read_collection(stored: StoredObject, days: int) -> Collection:
    """Read how many observations there are in each hour."""
    rows = stored.rows("collectedHours", MOST_HOURS, 3)
    _check_moments(stored, "collectedHours", rows, lambda row: row[1:2])
    if any(cell != int(cell) or not 0 <= cell <= _MOST_COUNT for row in rows for cell in (row[0], row[2])):
        raise stored.error("collectedHours", "expected whole numbers")
    return Collection(days, [(int(hour), first, int(count)) for hour, first, count in rows])


def _check_moments(
    stored: StoredObject,
    name: str,
    rows: list[tuple[Any, ...]],
    of: Callable[[tuple[Any, ...]], tuple[float, ...]],
) -> None:
    if any(not 0 <= moment <= _LAST_MOMENT for row in rows for moment in of(row)):
        raise stored.error(name, "expected moments in seconds since 1970")


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if is_reading(number) else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")
