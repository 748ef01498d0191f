"""What the controller counts, as Prometheus text."""

from __future__ import annotations

from collections import Counter


class Counters:
    """Counts since the start of the process, and sums of seconds."""

    def __init__(self) -> None:
        self._reconciles = 0
        self._errors = 0
        self._seconds = 0.0
        self._lag = 0.0
        self._worst_lag = 0.0
        self._scrapes: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._writes: Counter[str] = Counter()

    def reconciled(self, *, lag: float, seconds: float, failed: bool) -> None:
        """Count a reconcile: how much later than due it began, and how long it took."""
        self._reconciles += 1
        self._errors += failed
        self._seconds += seconds
        self._lag += lag
        self._worst_lag = max(self._worst_lag, lag)

    def scraped(self, source: str) -> None:
        """Count a request to an endpoint of metrics."""
        self._scrapes[source] += 1

    def failed(self, source: str) -> None:
        """Count a request that gave no page."""
        self._failures[source] += 1

    def wrote(self, what: str) -> None:
        """Count a write to the API server."""
        self._writes[what] += 1

    def text(self, scalers: int) -> str:
        """Return all of them in the Prometheus text format; the worst lag starts anew with each call."""
        lines: list[str] = []

        def family(name: str, kind: str, about: str, values: dict[str, float]) -> None:
            lines.extend((f"# HELP {name} {about}", f"# TYPE {name} {kind}"))
            lines.extend(f"{name}{labels} {value:.9g}" for labels, value in values.items())

        family("budaiscaler_scalers", "gauge", "Scalers that are there.", {"": scalers})
        family("budaiscaler_reconciles_total", "counter", "Reconciles.", {"": self._reconciles})
        family("budaiscaler_reconcile_errors_total", "counter", "Reconciles that broke.", {"": self._errors})
        family("budaiscaler_reconcile_seconds_total", "counter", "Seconds in reconciles.", {"": self._seconds})
        family("budaiscaler_lag_seconds_total", "counter", "Seconds that reconciles began too late.", {"": self._lag})
        family("budaiscaler_lag_seconds_max", "gauge", "Worst lag since the last scrape.", {"": self._worst_lag})
        family("budaiscaler_scrapes_total", "counter", "Requests for metrics.", _by("source", self._scrapes))
        family("budaiscaler_scrape_failures_total", "counter", "Those in vain.", _by("source", self._failures))
        family("budaiscaler_writes_total", "counter", "Writes to the API server.", _by("what", self._writes))
        self._worst_lag = 0.0
        return "\n".join(lines) + "\n"


def _by(name: str, counts: Counter[str]) -> dict[str, float]:
    return {f'{{{name}="{key}"}}': float(count) for key, count in sorted(counts.items())}
