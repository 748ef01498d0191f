from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from proving_ground.budaiscaler.counters import Counters


def values(text: str) -> dict[str, float]:
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {s.name + "".join(f"/{value}" for value in s.labels.values()): s.value for s in samples}


def test_what_was_counted_is_told_as_prometheus_reads_it() -> None:
    counters = Counters()
    counters.reconciled(lag=0.5, seconds=0.25, failed=False)
    counters.reconciled(lag=0.1, seconds=0.25, failed=True)
    counters.scraped("pod")
    counters.scraped("pod")
    counters.failed("pod")
    counters.wrote("scale")
    found = values(counters.text(3))
    assert found == {
        "budaiscaler_scalers": 3.0,
        "budaiscaler_reconciles_total": 2.0,
        "budaiscaler_reconcile_errors_total": 1.0,
        "budaiscaler_reconcile_seconds_total": 0.5,
        "budaiscaler_lag_seconds_total": 0.6,
        "budaiscaler_lag_seconds_max": 0.5,
        "budaiscaler_scrapes_total/pod": 2.0,
        "budaiscaler_scrape_failures_total/pod": 1.0,
        "budaiscaler_writes_total/scale": 1.0,
    }


def test_the_worst_lag_is_that_since_the_last_scrape() -> None:
    counters = Counters()
    counters.reconciled(lag=0.5, seconds=0.0, failed=False)
    counters.text(0)
    assert values(counters.text(0))["budaiscaler_lag_seconds_max"] == 0.0
