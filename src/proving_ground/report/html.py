"""report.html: one file that shows a run, without anything from elsewhere and without scripts."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import jinja2

from proving_ground import __version__
from proving_ground.report.chart import AREA, chart
from proving_ground.report.picture import picture
from proving_ground.report.text import clean, first_line, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.contracts.platform import Platform
    from proving_ground.contracts.results import Results
    from proving_ground.contracts.run import Run
    from proving_ground.contracts.timeline import Entry

_HEADINGS = {
    "passed": "Passed",
    "failed": "Failed",
    "infrastructure": "Infrastructure error",
    "configuration": "Configuration error",
    "interrupted": "Interrupted",
}


def report_html(
    results: Results,
    platform: Platform | None = None,
    timeline: Sequence[Entry] = (),
    run: Run | None = None,
) -> str:
    """Return the page; every text of a check is escaped, and cut where it is very long."""
    bad = [test for test in results.tests if test.status in ("failed", "error")]
    return _template().render(
        results=results,
        platform=platform,
        run=run,
        heading=_HEADINGS[results.verdict.outcome],
        took=(results.ended - results.started).total_seconds(),
        bad=bad,
        skipped=[test for test in results.tests if test.status == "skipped"],
        noted=[
            test
            for test in results.tests
            if test.status == "passed" and (test.metrics or test.attachments or test.plots)
        ],
        chart_area=AREA,
        picture=picture(results, timeline),
        version=__version__,
    )


@functools.cache
def _template() -> jinja2.Template:
    return environment("proving_ground.report").get_template("report.html.j2")


def environment(*packages: str) -> jinja2.Environment:
    """Return what makes pages of the templates of packages, that of plots among them.

    Every text is escaped; filters make what others wrote fit for a page, and a plot fit for its template.
    """
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"chart": chart, "clean": clean, "first_line": first_line, "seconds": seconds}
    return made
