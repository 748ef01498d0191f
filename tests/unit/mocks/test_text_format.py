from __future__ import annotations

import pytest

from .text_format import faults

GOOD = "# HELP a_total A.\n# TYPE a_total counter\na_total 1.0\n"


def test_a_sound_page_has_no_faults() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("# TYPE a gauge\na 1.0\n", id="no HELP"),
        pytest.param("# HELP a A.\na 1.0\n", id="no TYPE"),
        pytest.param('# HELP a A.\n# TYPE a gauge\na{x="1"} 1.0\na{x="1"} 2.0\n', id="a series twice"),
        pytest.param("# HELP a A.\n# HELP a A.\n# TYPE a gauge\na 1.0\n", id="HELP twice"),
        pytest.param("# HELP a A.\n# TYPE a counter\na 1.0\n", id="a counter without its ending"),
        pytest.param("# HELP a A.\n# TYPE a gauge\na NaN\n", id="not a number"),
        pytest.param("# HELP a A.\n# TYPE a gauge\na 1.0", id="no newline at the end"),
    ],
)
def test_each_fault_of_a_page_is_found(page: str) -> None:
    assert len(faults(page)) == 1
