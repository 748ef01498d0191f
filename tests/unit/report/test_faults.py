from __future__ import annotations

import datetime as dt

from proving_ground.contracts.results import FaultResult, Results, Summary, Verdict
from proving_ground.report.html import report_html
from proving_ground.report.markdown import summary_md

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
FAULT = FaultResult(
    suite="aim",
    fault="wrong-model",
    description="Another <model> answers.",
    killed=["aim/a"],
    problems=["aim/b passed"],
)
RESULTS = Results(
    run_id="r1",
    stage="prove",
    inventory="sim",
    started=NOON,
    ended=NOON,
    verdict=Verdict(exit_code=1, outcome="failed", cause="aim/b passed"),
    summary=Summary(),
    faults=[FAULT],
)


def test_the_report_shows_each_fault_with_the_checks_that_noticed_it() -> None:
    page = report_html(RESULTS)
    assert "wrong-model" in page
    assert "Another &lt;model&gt; answers." in page
    assert "aim/a" in page
    assert "aim/b passed" in page


def test_the_report_of_a_stage_has_no_table_of_faults() -> None:
    assert "Faults, and the checks" not in report_html(RESULTS.model_copy(update={"faults": []}))


def test_the_summary_counts_the_checks_that_noticed_a_fault() -> None:
    assert "| aim | wrong-model | 1 | no |" in summary_md(RESULTS)
