"""What was learned as the four JSON texts of a ConfigMap, and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.learning.moments import to_milliseconds, to_seconds
from proving_ground.budaiscaler.learning.reading import (
    StoredObject,
    read_accuracy,
    read_collection,
    read_course,
    read_detector,
    read_season,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.budaiscaler.learning.accuracy import Accuracy
    from proving_ground.budaiscaler.learning.collection import Collection
    from proving_ground.budaiscaler.learning.patterns import Pattern, PatternDetector
    from proving_ground.budaiscaler.learning.prediction import Course
    from proving_ground.budaiscaler.learning.seasonal import Season

SEASON_KEY = "seasonal_profiles.json"
PATTERN_KEY = "pattern_detector.json"
ACCURACY_KEY = "accuracy_tracker.json"
METADATA_KEY = "metadata.json"
VERSION = "v1"


@dataclass(slots=True)
class Memory:
    """All that one learner knows."""

    detector: PatternDetector
    season: Season
    course: Course
    accuracy: Accuracy
    collection: Collection
    created: float | None = None
    """When the first observation was made."""


def write(memory: Memory, *, now: float, shown: Pattern, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the four texts by key.

    Args:
        memory: What to write.
        now: The moment of writing.
        shown: The pattern that is told to others.
        settings: Further fields of the metadata, by name.
    """
    oldest = memory.collection.oldest
    metadata = {
        "version": VERSION,
        "createdAt": to_milliseconds(now if memory.created is None else memory.created),
        "lastUpdated": to_milliseconds(now),
        "dataPointCount": memory.collection.count,
        "oldestDataPoint": None if oldest is None else to_seconds(oldest),
        "profilesCount": memory.season.known,
        **settings,
        "collectedHours": memory.collection.hours,
    }
    return {
        SEASON_KEY: _text(_season(memory)),
        PATTERN_KEY: _text(_detector(memory.detector, shown)),
        ACCURACY_KEY: _text(_accuracy(memory.accuracy)),
        METADATA_KEY: _text(metadata),
    }


def read(
    data: Mapping[str, str], *, metric: str, scale: float, look_ahead: float, historical_days: int
) -> Memory | None:
    """Return what the four texts tell; None where they are of another metric or another scale.

    Args:
        data: The texts by key; other keys do not matter.
        metric: Name of the metric that is learned now.
        scale: Its full scale.
        look_ahead: Seconds that forecasts look ahead now.
        historical_days: Length of the history now.

    Raises:
        ValueError: A text is missing or cannot be used; the message begins with its key.
    """
    season, detector, accuracy, metadata = (
        StoredObject.parse(key, data.get(key)) for key in (SEASON_KEY, PATTERN_KEY, ACCURACY_KEY, METADATA_KEY)
    )
    if metadata.text("version") != VERSION:
        raise metadata.error("version", f"expected {VERSION}")
    if metadata.text("metric") != metric or metadata.number("scale") != scale:
        return None
    return Memory(
        detector=read_detector(detector),
        season=read_season(season),
        course=read_course(season, look_ahead),
        accuracy=read_accuracy(accuracy),
        collection=read_collection(metadata, historical_days),
        created=metadata.moment("createdAt"),
    )


def _text(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def _season(memory: Memory) -> dict[str, Any]:
    return {
        "profiles": [
            {"hourOfWeek": hour, "mean": bucket.mean, "observations": bucket.count}
            for hour, bucket in enumerate(memory.season.buckets)
            if bucket.count
        ],
        "complete": memory.season.complete,
        "recentValues": list(memory.course.points),
    }


def _detector(detector: PatternDetector, shown: Pattern) -> dict[str, Any]:
    return {
        "currentPattern": shown.name.value,
        "patternConfidence": shown.confidence,
        "detector": {
            "pattern": detector.current.name.value,
            "confidence": detector.current.confidence,
            "points": detector.points,
            "usualRunning": detector.running,
            "usualThroughput": detector.throughput,
            "idlePoints": detector.idle,
            "begunPoints": detector.begun,
        },
        "recentSamples": [[s.cache, s.running, s.waiting, s.throughput] for s in detector.recent],
        "usualPoints": list(detector.levels.points),
        "blockMeans": list(detector.levels.blocks),
        "blockPending": detector.levels.pending,
    }


def _accuracy(accuracy: Accuracy) -> dict[str, Any]:
    figures = accuracy.figures()
    return {
        "totalPredictions": accuracy.total,
        "recentMAE": figures.mae,
        "recentMAPE": figures.mape,
        "directionAccuracy": figures.direction,
        "overallAccuracy": figures.overall,
        "lastCalibration": None if accuracy.calibrated is None else to_milliseconds(accuracy.calibrated),
        "calibrationNeeded": accuracy.calibration_needed,
        "recentPredictions": [
            {
                "time": to_milliseconds(forecast.at),
                "madeAt": to_milliseconds(forecast.made_at),
                "predicted": forecast.predicted,
                "actual": forecast.actual,
                "error": forecast.error,
                "before": forecast.before,
            }
            for forecast in accuracy.resolved
        ],
        "openPredictions": [[f.made_at, f.at, f.predicted, f.before] for f in accuracy.open],
    }
