from __future__ import annotations

import pytest

from proving_ground.chainsaw.label_selectors import parse_selectors, selected
from proving_ground.errors import ConfigurationError

LABELS = {"team": "aim", "example.com/tier": "gpu", "empty": ""}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], True),
        (["team=aim"], True),
        (["team==aim"], True),
        (["team = aim"], True),
        (["team=other"], False),
        (["team!=other"], True),
        (["absent!=x"], True),
        (["absent=x"], False),
        (["example.com/tier=gpu,team=aim"], True),
        (["example.com/tier=gpu", "team=other"], False),
        (["team in (aim, other)"], True),
        (["team in (x,y),example.com/tier"], False),
        (["team notin (x)"], True),
        (["absent notin (x)"], True),
        (["team notin (aim)"], False),
        (["team"], True),
        (["absent"], False),
        (["!absent"], True),
        (["!team"], False),
        (["empty="], True),
        (["team="], False),
    ],
    ids=str,
)
def test_all_requirements_have_to_hold(texts: list[str], expected: bool) -> None:
    assert selected(LABELS, parse_selectors(texts)) is expected


@pytest.mark.parametrize("text", ["", "a=b=c", "team in aim", "a,,b", "=x", "a=b c", "-a=b", "x" * 200 + "="])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no label selector"):
        parse_selectors([text])
