"""How many checks of a suite are under way at once."""

from __future__ import annotations

from typing import cast

import pytest

from proving_ground.pipeline.verify import Verifier


@pytest.mark.parametrize(("most", "wanted", "made"), [(0, 16, 16), (6, 16, 6), (6, 4, 4)])
def test_a_platform_bears_at_most_so_many(most: int, wanted: int, made: int) -> None:
    verifier = cast("Verifier", Verifier.__new__(Verifier))
    verifier._most = most
    assert verifier._bearable(wanted) == made
