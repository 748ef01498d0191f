"""What has to be known of systems stands in each report that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.report.html import report_html
from proving_ground.report.markdown import summary_md

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.contracts.results import Results

NOTES = {"inference": "random weights instead of <big>.gguf: the text is nonsense"}


def test_reports_tell_what_has_to_be_known_of_a_system(make_run: Callable[..., Results]) -> None:
    results = make_run(notes=NOTES)
    assert "random weights instead of &lt;big&gt;.gguf" in report_html(results)
    assert "inference: random weights instead of" in summary_md(results)


def test_reports_of_systems_without_notes_have_no_place_for_them(make_run: Callable[..., Results]) -> None:
    assert "<h2>Systems</h2>" not in report_html(make_run())
