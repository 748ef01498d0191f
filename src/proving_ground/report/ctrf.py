"""Common Test Report Format, JSON (https://ctrf.io, schema/ctrf.schema.json of github.com/ctrf-io/ctrf)."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from proving_ground import __version__
from proving_ground.report.text import clean

if TYPE_CHECKING:
    import datetime as dt

    from proving_ground.contracts.platform import Platform
    from proving_ground.contracts.results import Results, Test
    from proving_ground.contracts.run import Run

SPEC_VERSION = "1.0.0"

_STATUS = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "skipped"}
_IDS = uuid.UUID("6f0a0bb2-5d0e-5c57-9a39-5b1a4d2b8f0c")  # namespace of the ids of checks


def ctrf_json(results: Results, platform: Platform | None = None, run: Run | None = None) -> str:
    """Return the results in CTRF; an error counts as failed, with ``rawStatus`` error."""
    summary = results.summary
    document = {
        "reportFormat": "CTRF",
        "specVersion": SPEC_VERSION,
        "reportId": str(uuid.uuid5(_IDS, f"{results.run_id} {results.ended.isoformat()}")),
        "timestamp": results.ended.isoformat(),
        "generatedBy": f"proving-ground {__version__}",
        "results": {
            "tool": {"name": "proving-ground", "version": __version__},
            "summary": {
                "tests": summary.total,
                "passed": summary.passed,
                "failed": summary.failed + summary.errors,
                "skipped": summary.skipped,
                "pending": 0,
                "other": 0,
                "flaky": sum(_is_flaky(test) for test in results.tests),
                "suites": len(results.suites),
                "start": _milliseconds(results.started),
                "stop": _milliseconds(results.ended),
                "duration": round(summary.duration_seconds * 1000),
                "extra": {"errors": summary.errors, "not_selected": summary.not_selected},
            },
            "tests": [_test(test) for test in results.tests],
            "environment": _environment(results, platform, run),
            "extra": {"verdict": results.verdict.model_dump(mode="json")},
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _is_flaky(test: Test) -> bool:
    return test.status == "passed" and test.attempts > 1


def _milliseconds(time: dt.datetime) -> int:
    return round(time.timestamp() * 1000)


def _test(test: Test) -> dict[str, object]:
    made: dict[str, object] = {
        "id": str(uuid.uuid5(_IDS, test.id)),
        "name": clean(test.id),
        "status": _STATUS[test.status],
        "rawStatus": test.status,
        "duration": round(test.duration * 1000),
        "suite": [clean(test.suite) or "-"],
    }
    if test.started:
        made["start"] = _milliseconds(test.started)
        made["stop"] = made["start"] + round(test.duration * 1000)  # type: ignore[operator]  # both are integers
    if message := test.error or test.reason:
        made["message"] = clean(message)
    if test.detail:
        made["trace"] = clean(test.detail)
    if test.marks:
        made["tags"] = [clean(mark) for mark in test.marks]
    if test.nodeid:
        made["filePath"] = clean(test.nodeid.partition("::")[0])
    if test.attempts > 1:
        made["retries"] = test.attempts - 1
        made["flaky"] = _is_flaky(test)
    if test.parameters:
        made["parameters"] = test.parameters
    files = [a for a in test.attachments if a.path]
    if files:
        made["attachments"] = [{"name": a.name, "contentType": "text/plain", "path": a.path} for a in files]
    extra = {
        "reason_code": test.reason_code,
        "infrastructure": test.infrastructure,
        "metrics": test.metrics,
        "properties": test.properties,
        "description": clean(test.description),
    }
    made["extra"] = {name: value for name, value in extra.items() if value}
    return made


def _environment(results: Results, platform: Platform | None, run: Run | None) -> dict[str, object]:
    environment: dict[str, object] = {
        "reportName": f"{results.stage} on {results.inventory}",
        "buildName": results.stage,
        "buildId": results.run_id,
        "testEnvironment": results.inventory,
        "healthy": results.verdict.exit_code == 0,
    }
    if run and run.revision:
        environment["commit"] = run.revision
    if platform:
        systems = {
            name: system.model_dump(mode="json", exclude={"parameters"}) for name, system in platform.systems.items()
        }
        environment["extra"] = {
            "systems": systems,
            "clusters": {name: cluster.version for name, cluster in platform.clusters.items()},
            "capabilities": platform.capabilities.present,
        }
    return environment
