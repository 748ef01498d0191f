from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.contracts.gates import Gates
from proving_ground.history.drawing import page, plot
from proving_ground.history.trend import trends
from tests.unit.history.made import HARDWARE, measurement, noisy, record

if TYPE_CHECKING:
    from proving_ground.history.store import Store

BAND = Gates.model_validate(
    {
        "gates": [
            {
                "kind": "band",
                "metric": "load/*/m0_ms",
                "bands": {HARDWARE.key: {"reference": 100, "lower": 90, "upper": 110}},
            }
        ]
    }
).gates


@pytest.fixture
def changed(store: Store) -> Store:
    store.add(noisy(range(25), metrics=2) + noisy(range(25, 45), metrics=2, factor=1.2))
    return store


def test_a_trend_has_values_levels_and_the_band_of_the_hardware(changed: Store) -> None:
    trend = trends(changed, changed.runs()[0], BAND, "*/m0_ms")[0]
    assert [run.run_id for run in (trend.runs[0], trend.runs[-1])] == ["run-0", "run-44"]
    made = plot(trend)
    assert list(made.series) == ["value", "level", "reference"]
    assert [(band.lower, band.upper) for band in made.bands] == [(90, 110)]


def test_a_change_is_a_mark_at_the_first_run_of_the_new_level(changed: Store) -> None:
    trend = trends(changed, changed.runs()[0], (), "*/m0_ms")[0]
    made = plot(trend)
    (mark,) = made.marks
    assert (mark.x, mark.y) in made.series["value"]
    assert (mark.x - 1, mark.y) == (trend.changes[0].index, trend.values[trend.changes[0].index])
    assert mark.label == trend.told()[0]
    assert made.bands == []


def test_a_change_names_the_run_and_the_commit_where_it_began(changed: Store) -> None:
    trend = trends(changed, changed.runs()[0], (), "*/m1_ms")[0]
    assert len(trend.changes) == 1
    told = trend.told()[0]
    assert told.startswith("worse by ")
    assert f"run-{trend.changes[0].index}" in told
    assert f"commit c{trend.changes[0].index}" in told
    assert f"median {trend.changes[0].before:.4g} -> {trend.changes[0].after:.4g} ms" in told


def test_invalid_runs_are_no_part_of_a_trend(store: Store) -> None:
    store.add([record(1), record(2, valid=False, problem="x"), record(3)])
    assert [run.run_id for run in trends(store, store.runs()[0])[0].runs] == ["run-1", "run-3"]


def test_the_page_needs_nothing_from_elsewhere_and_marks_changes(changed: Store) -> None:
    run = changed.runs()[0]
    text = page(trends(changed, run, BAND), run)
    assert text.count("<figure>") == 2
    assert text.count('class="marked"') == 2
    assert text.count('class="band" x="70"') == 1
    for trend in trends(changed, run, BAND):
        assert text.count(f"<li>{trend.told()[0].replace('>', '&gt;')}</li>") == 1
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")


def test_names_are_escaped(store: Store) -> None:
    store.add(record(1, measurement("<b>_ms", 1.0), run_id="<script>"))
    run = store.runs()[0]
    text = page(trends(store, run), run)
    assert "<script" not in text
    assert "<b>" not in text
