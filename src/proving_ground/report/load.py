"""The load test of a run, taken from what its checks measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proving_ground.contracts.results import LoadTest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proving_ground.contracts.results import Test

_REQUIRED = {name for name, field in LoadTest.model_fields.items() if field.is_required()}


def load_test_of(tests: Iterable[Test]) -> LoadTest | None:
    """Return the measurements of the first check that has all that a load test tells, None where there is none."""
    for test in tests:
        if test.metrics.keys() >= _REQUIRED:
            return LoadTest.model_validate(
                {name: value for name, value in test.metrics.items() if name in LoadTest.model_fields}
            )
    return None
